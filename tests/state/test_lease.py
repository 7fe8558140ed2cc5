"""Leases, between threads, pools of connections and processes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from state import lease
from state.database import Database, open_database
from tests.processes import wait_until


def test_one_holder_at_a_time(database: Database) -> None:
    assert lease.hold(database, "order:1", "a", 60)
    assert not lease.hold(database, "order:1", "b", 60)
    assert lease.holder_of(database, "order:1") == "a"
    assert lease.hold(database, "order:2", "b", 60)


def test_its_holder_renews_it(database: Database) -> None:
    assert lease.hold(database, "order:1", "a", 0.2)
    assert lease.hold(database, "order:1", "a", 60)
    assert not lease.hold(database, "order:1", "b", 60)


def test_free_gives_back_only_ones_own(database: Database) -> None:
    assert lease.hold(database, "order:1", "a", 60)
    lease.free(database, "order:1", "b")
    assert not lease.hold(database, "order:1", "b", 60)
    lease.free(database, "order:1", "a")
    assert lease.holder_of(database, "order:1") is None
    assert lease.hold(database, "order:1", "b", 60)


def test_a_lease_that_ran_out_may_be_taken(database: Database) -> None:
    assert lease.hold(database, "order:1", "dead", 0.3)
    wait_until(lambda: lease.hold(database, "order:1", "b", 60), "the lease ran out", seconds=20)
    assert not lease.hold(database, "order:1", "dead", 60)


def test_of_many_that_ask_at_once_one_has_it(database: Database) -> None:
    def ask(holder: int) -> list[bool]:
        return [lease.hold(database, f"order:{number}", str(holder), 60) for number in range(10)]

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, range(6)))
    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 10


def test_another_process_sees_it(database: Database, database_url: str) -> None:
    program = (
        "import sys; from state import lease; from state.database import open_database;"
        "print(lease.hold(open_database(sys.argv[1]), 'order:1', 'child', 60))"
    )

    def child() -> str:
        command = [sys.executable, "-c", program, database_url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    assert lease.hold(database, "order:1", "parent", 60)
    assert child() == "False"
    lease.free(database, "order:1", "parent")
    assert child() == "True"
    assert lease.holder_of(database, "order:1") == "child"


@pytest.mark.usefixtures("database")
def test_several_pools_share_one_database(database_url: str) -> None:
    pools = [open_database(database_url) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as threads:
            taken = list(threads.map(lambda pool: lease.hold(pool, "x", str(id(pool)), 60), pools))
        assert sum(taken) == 1
    finally:
        for pool in pools:
            pool.close()
