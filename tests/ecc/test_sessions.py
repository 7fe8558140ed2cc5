"""The pool: a thread's own session, none after a failure, no more than are allowed."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from adapters.ecc.check import HARMLESS, check
from adapters.ecc.connect import open_sessions
from adapters.ecc.dictionary import FUNCTIONS
from adapters.ecc.simulator import wire
from adapters.ecc.simulator.faults import LogonRefused
from schemas.failures import Outage, Transient
from tests.ecc.conftest import Ecc
from tests.processes import wait_until


class TestPool:
    """Sessions of one process."""

    def test_a_thread_gets_its_own_session_back(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure())
        for _ in range(3):
            with pool.take() as session:
                session.call("RFC_PING")
        assert ecc.counts()["logons"] == 1

    def test_threads_do_not_share(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure())
        together = threading.Barrier(3)

        def work(_number: int) -> None:
            for _ in range(3):
                with pool.take() as session:
                    session.call("RFC_PING")
                together.wait(30)

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(work, range(3)))
        assert ecc.counts()["logons"] == 3

    def test_no_more_sessions_than_allowed_whatever_the_number_of_threads(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=2))
        most = []

        def work(_number: int) -> None:
            with pool.take() as session:
                session.call("RFC_PING")
                most.append(ecc.counts()["sessions"])

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(24)))
        assert max(most) <= 2

    def test_any_exception_closes_the_session_and_frees_its_locks(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure())

        def fail() -> None:
            with pool.take() as session:
                session.call("Z_ORDERBUS_ORDER_OPEN", IV_ORDER_KEY="k", IV_SCOPE="2")
                assert ecc.counts()["locks"] == 1
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        wait_until(lambda: ecc.counts()["sessions"] == 0, "the session ends")
        assert ecc.counts()["locks"] == 0

    def test_a_session_idle_for_too_long_is_replaced(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(idle_seconds=0.001))
        for _ in range(2):
            with pool.take() as session:
                session.call("RFC_PING")
            threading.Event().wait(0.01)
        assert ecc.counts()["logons"] == 2

    def test_waiting_for_a_session_ends(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=1, call_timeout=0.05))
        with pool.take(), ThreadPoolExecutor(1) as threads:
            refused = threads.submit(lambda: pool.take().__enter__())
            with pytest.raises(Transient, match="were in use"):
                refused.result(30)

    def test_a_failed_connect_gives_its_place_back(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=1))
        ecc.arm(LogonRefused(count=3))
        for _ in range(3):
            with pytest.raises(Outage), pool.take():
                pass
        with pool.take() as session:
            session.call("RFC_PING")

    def test_a_closed_pool_keeps_nothing(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure())
        with pool.take() as session:
            pool.close()
            session.call("RFC_PING")
        wait_until(lambda: ecc.counts()["sessions"] == 0, "the session ends")


class TestCheck:
    """What `orderbus check` says of ECC."""

    def test_a_good_system_is_fine_and_unchanged(self, ecc: Ecc) -> None:
        of_calls = {"logons", "calls", "sessions", "most_at_once"}
        before = {name: value for name, value in ecc.counts().items() if name not in of_calls}
        config = ecc.configure()
        findings = list(check(open_sessions(config), config))
        assert [found.failure for found in findings] == [None] * (1 + len(HARMLESS))
        after = {name: value for name, value in ecc.counts().items() if name in before}
        assert after == before

    def test_without_a_connection_there_is_one_line_with_what_to_do(self, start_ecc: Callable[..., Ecc]) -> None:
        config = start_ecc(passwd="other").configure()
        (found,) = check(open_sessions(config), config)
        assert found.failure is not None
        assert "password" in found.failure.remedy

    def test_a_missing_function_module_is_named(self, ecc: Ecc, monkeypatch: pytest.MonkeyPatch) -> None:
        modules = {name: one for name, one in FUNCTIONS.items() if name != "Z_ORDERBUS_PENDING_GET"}
        monkeypatch.setattr(wire, "FUNCTIONS", modules)
        config = ecc.configure()
        wrong = [found for found in check(open_sessions(config), config) if found.failure]
        assert [found.what for found in wrong] == ["ECC function module Z_ORDERBUS_PENDING_GET"]
        assert wrong[0].failure is not None
        assert "ecc-interfaces.md" in wrong[0].failure.remedy

    def test_a_function_module_without_a_parameter_is_named(self, ecc: Ecc, monkeypatch: pytest.MonkeyPatch) -> None:
        module = FUNCTIONS["Z_ORDERBUS_ORDER_OPEN"]
        older = {name: one for name, one in module.imports.items() if name != "IV_CUSTOMER_KEY"}
        monkeypatch.setattr(wire, "FUNCTIONS", {**FUNCTIONS, module.name: replace(module, imports=older)})
        config = ecc.configure()
        wrong = [found for found in check(open_sessions(config), config) if found.failure]
        assert [found.what for found in wrong] == ["ECC function module Z_ORDERBUS_ORDER_OPEN"]
