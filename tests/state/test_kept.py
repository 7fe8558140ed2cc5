"""Leases that are kept: renewed in the background, lost with their holder, and never believed in for too long."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.failures import Outage
from state import kept, lease
from state.database import Database
from state.kept import Lease
from tests.processes import Server, wait_until

SECONDS = 0.6
HOLDER = """
import asyncio, sys
from state.database import open_database
from state.kept import Lease

async def main(url):
    kept = Lease(open_database(url), "poll", "child", seconds=2.0)
    while True:
        print("mine" if await kept.mine() else "another's", flush=True)
        await asyncio.sleep(0.05)

asyncio.run(main(sys.argv[1]))
"""


async def until(database: Database, holder: str | None, seconds: float = 20.0) -> None:
    """Wait until a lease is somebody's."""
    give_up = time.monotonic() + seconds
    while await asyncio.to_thread(lease.holder_of, database, "poll") != holder:
        assert time.monotonic() < give_up, f"The lease never was {holder}'s."
        await asyncio.sleep(0.02)


async def test_it_is_kept_for_many_times_its_length_while_its_holder_is_busy(database: Database) -> None:
    async with Lease(database, "poll", "a", seconds=SECONDS) as mine, Lease(database, "poll", "b") as theirs:
        assert await mine.mine()
        until_then = time.monotonic() + 4 * SECONDS
        while time.monotonic() < until_then:
            assert not await theirs.mine()
            await asyncio.sleep(0.05)
        assert await mine.mine()


async def test_it_is_given_back_at_once_and_for_good(database: Database) -> None:
    first, second = Lease(database, "poll", "a"), Lease(database, "poll", "b")
    assert await first.mine()
    assert not await second.mine()
    await first.give_back()
    assert await second.mine()
    await second.give_back()
    assert not await first.mine()
    assert lease.holder_of(database, "poll") is None


async def test_giving_back_what_one_never_had_takes_it_from_nobody(database: Database) -> None:
    async with Lease(database, "poll", "a") as mine:
        assert await mine.mine()
        async with Lease(database, "poll", "b") as theirs:
            assert not await theirs.mine()
        assert lease.holder_of(database, "poll") == "a"


async def test_a_fresh_lease_is_believed_without_a_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lease(database, "poll", "a") as mine:
        assert await mine.mine()
        with monkeypatch.context() as patch:
            patch.delattr("state.lease.hold")
            assert await mine.mine()


async def test_a_blocked_event_loop_does_not_believe_that_it_still_holds(database: Database) -> None:
    async with Lease(database, "poll", "a", seconds=SECONDS) as mine, Lease(database, "poll", "b") as theirs:
        assert await mine.mine()
        wait_until(lambda: lease.holder_of(database, "poll") is None, "the lease runs out")
        assert lease.hold(database, "poll", "b", 60)
        assert not await mine.mine()
        assert await theirs.mine()


async def test_a_holder_that_asks_no_more_is_taken_for_stuck(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "STUCK", 1.0)
    async with Lease(database, "poll", "a", seconds=SECONDS) as mine:
        assert await mine.mine()
        await until(database, None)
        assert await mine.mine()


async def test_while_the_database_is_away_it_is_asked_now_and_then_and_the_lease_goes_on_afterwards(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def away(*_: object) -> bool:
        nonlocal calls
        calls += 1
        raise Outage("The database is away.", "Start it.")

    async with Lease(database, "poll", "a", seconds=SECONDS) as mine:
        assert await mine.mine()
        with monkeypatch.context() as patch:
            patch.setattr("state.lease.hold", away)
            await until(database, None)
            with pytest.raises(Outage):
                await mine.mine()
        assert calls <= 10
        await until(database, "a")


@pytest.fixture
def child(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """Yield a process that keeps the lease."""
    server = Server([sys.executable, "-c", HOLDER, database_url], log=tmp_path / "child.log", env=_environment())
    wait_until(lambda: "mine" in server.tail() or not server.running, "the child has the lease")
    assert server.running, server.tail()
    yield server
    server.kill()


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[2])}


async def test_a_killed_process_is_replaced_within_the_leases_length(database: Database, child: Server) -> None:
    async with Lease(database, "poll", "next") as mine:
        assert not await mine.mine()
        child.kill()
        killed_at = time.monotonic()
        await until(database, None)
        assert time.monotonic() - killed_at < 10
        assert await mine.mine()


async def test_a_frozen_process_that_wakes_knows_that_it_lost_the_lease(database: Database, child: Server) -> None:
    child.send(signal.SIGSTOP)
    await until(database, None)
    assert await asyncio.to_thread(lease.hold, database, "poll", "next", 3600)
    said = len(child.log.read_text().splitlines())
    child.send(signal.SIGCONT)
    await asyncio.to_thread(wait_until, lambda: len(child.log.read_text().splitlines()) > said + 1, "it asks again")
    # What it was saying when it was stopped may still come out once.
    assert set(child.log.read_text().splitlines()[said + 1 :]) == {"another's"}
