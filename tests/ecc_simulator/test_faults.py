"""Every fault, as a caller meets it and with what it leaves behind."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError

import pytest

from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    LogonError,
    RfcError,
    RfcTimeoutError,
)
from tests.ecc_simulator.conftest import Ecc, created, messages, opened, pending

CREATE = "BAPI_SALESORDER_CREATEFROMDAT2"
COMMIT = "BAPI_TRANSACTION_COMMIT"
ADD = "Z_ORDERBUS_PENDING_ADD"


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_connection_lost_around_the_bapi_leaves_nothing(ecc: Ecc, when: str) -> None:
    ecc.fault("connection_lost", when=when, function=CREATE)
    session = ecc.connect()
    opened(session)
    with pytest.raises(CommunicationError):
        created(session)
    ecc.eventually(lambda: ecc.counts()["sessions"] == ecc.counts()["locks"] == 0)
    assert ecc.counts()["sales_orders"] == 0


def test_a_connection_lost_between_bapi_and_commit_leaves_nothing(ecc: Ecc) -> None:
    ecc.fault("connection_lost", when="afterwards", function=CREATE)
    session = ecc.connect()
    opened(session)
    assert created(session)["SALESDOCUMENT"]
    with pytest.raises(CommunicationError):
        session.commit()
    assert opened(ecc.connect()) == ""
    assert ecc.counts()["sales_orders"] == 0


@pytest.mark.parametrize(("when", "orders"), [("before", 0), ("during", 1), ("after", 1)])
def test_a_connection_lost_around_the_commit(ecc: Ecc, when: str, orders: int) -> None:
    ecc.fault("connection_lost", when=when, function=COMMIT)
    session = ecc.connect()
    created(session)
    with pytest.raises(CommunicationError):
        session.commit()
    ecc.eventually(lambda: ecc.counts()["update_requests"] == ecc.counts()["sessions"] == 0)
    assert ecc.counts()["sales_orders"] == orders


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("during", 1), ("after", 1)])
def test_a_module_that_commits_itself_may_have_taken_effect(ecc: Ecc, when: str, rows: int) -> None:
    ecc.fault("connection_lost", when=when, function=ADD)
    with pytest.raises(CommunicationError):
        ecc.connect().call(ADD, IS_PENDING=pending(1))
    ecc.eventually(lambda: ecc.counts()["sessions"] == 0)
    assert ecc.counts()["pending"] == rows


def test_a_call_that_timed_out_succeeds_later(ecc: Ecc) -> None:
    ecc.fault("slow_call", seconds=0.5, function=COMMIT)
    session = ecc.connect(timeout=0.2)
    opened(session)
    created(session)
    with pytest.raises(RfcTimeoutError):
        session.commit()
    retry = ecc.connect()
    with pytest.raises(AbapApplicationError, match="FOREIGN_LOCK"):
        opened(retry)
    ecc.eventually(lambda: ecc.counts()["sales_orders"] == 1)
    assert opened(ecc.connect()) == "0000000001"


def test_a_dead_session_keeps_its_lock_until_it_is_noticed(ecc: Ecc) -> None:
    ecc.fault("dead_session_lingers", seconds=0.5)
    ecc.fault("connection_lost", function=CREATE)
    session = ecc.connect()
    opened(session, scope="1")
    with pytest.raises(CommunicationError):
        created(session)
    assert ecc.counts()["locks"] == 1
    with pytest.raises(AbapApplicationError, match="FOREIGN_LOCK"):
        opened(ecc.connect())
    ecc.eventually(lambda: ecc.counts()["locks"] == 0)


def test_a_session_that_logs_off_never_lingers(ecc: Ecc) -> None:
    ecc.fault("dead_session_lingers", seconds=60)
    session = ecc.connect()
    opened(session)
    session.close()
    assert ecc.counts()["locks"] == 0


@pytest.mark.parametrize("kind", ["E", "A"])
def test_return_refuses_the_next_orders(ecc: Ecc, kind: str) -> None:
    ecc.fault("return_message", type=kind, id="VP", number="112", function=CREATE, count=2)
    session = ecc.connect()
    for _ in range(2):
        answer = created(session)
        assert (answer["SALESDOCUMENT"], messages(answer)) == ("", [(kind, "VP", "112")])
    assert created(session)["SALESDOCUMENT"] == "0000000001"


def test_return_refuses_one_order_for_good(ecc: Ecc) -> None:
    ecc.fault("return_message", key="default-000000666", count=None)
    session = ecc.connect()
    for _ in range(3):
        assert created(session, "default-000000666")["SALESDOCUMENT"] == ""
    assert created(session, "default-000000667")["SALESDOCUMENT"]


def test_a_terminated_update_is_told_by_the_commit(ecc: Ecc) -> None:
    ecc.fault("update_terminated")
    session = ecc.connect()
    opened(session)
    created(session)
    returned = session.commit()
    assert (returned["TYPE"], returned["ID"], returned["NUMBER"]) == ("E", "S&", "101")
    assert (ecc.counts()["sales_orders"], ecc.counts()["locks"]) == (0, 0)


def test_a_commit_can_refuse(ecc: Ecc) -> None:
    ecc.fault("return_message", function=COMMIT, id="S&", number="101", key="default-000000001")
    session = ecc.connect()
    created(session)
    assert session.commit()["TYPE"] == "E"
    session.rollback()
    assert ecc.counts()["sales_orders"] == 0


def test_a_short_dump_ends_the_session(ecc: Ecc) -> None:
    ecc.fault("short_dump", function=CREATE)
    session = ecc.connect()
    opened(session)
    with pytest.raises(AbapRuntimeError) as error:
        created(session)
    assert error.value.key == "SYSTEM_FAILURE"
    assert ecc.counts()["locks"] == 0


def test_a_lock_held_by_somebody_else(ecc: Ecc) -> None:
    ecc.fault("lock_held", key="default-000000001", for_seconds=0.3)
    with pytest.raises(AbapApplicationError, match="FOREIGN_LOCK"):
        opened(ecc.connect())
    ecc.eventually(lambda: ecc.counts()["locks"] == 0)
    assert opened(ecc.connect()) == ""


def test_a_refused_logon(ecc: Ecc) -> None:
    ecc.fault("logon_refused", count=2)
    for _ in range(2):
        with pytest.raises(LogonError):
            ecc.connect()
    ecc.connect().call("RFC_PING")


def test_busy_dialog_processes_make_calls_wait_and_then_fail(start_ecc: Callable[..., Ecc]) -> None:
    ecc = start_ecc(workers=2, queue_seconds=0.2)
    ecc.fault("dialog_busy", for_seconds=0.8)
    session = ecc.connect()
    with pytest.raises(CommunicationError, match="dialog processes"):
        session.call("RFC_PING")

    def answers() -> bool:
        try:
            ecc.connect().call("RFC_PING")
        except CommunicationError:
            return False
        return True

    ecc.eventually(answers)


def test_no_more_calls_run_at_once_than_there_are_dialog_processes(start_ecc: Callable[..., Ecc]) -> None:
    ecc = start_ecc(workers=2, latency=0.1)
    sessions = [ecc.connect() for _ in range(6)]
    began = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda session: session.call("RFC_PING"), sessions))
    assert time.monotonic() - began >= 0.3


def test_during_a_shutdown_nothing_answers_and_updates_go_on_afterwards(ecc: Ecc) -> None:
    ecc.fault("slow_update", seconds=0.1)
    session, idle = ecc.connect(), ecc.connect()
    created(session)
    session.call(COMMIT)
    ecc.fault("shutdown", for_seconds=0.6)
    for _ in range(2):
        with pytest.raises(CommunicationError):
            ecc.connect()
    with pytest.raises(CommunicationError):
        idle.call("RFC_PING")
    assert (ecc.counts()["update_requests"], ecc.counts()["sales_orders"]) == (1, 0)
    ecc.eventually(lambda: ecc.counts()["sales_orders"] == 1)
    ecc.connect().call("RFC_PING")


def outcomes(ecc: Ecc, calls: int) -> str:
    """Return for each of so many calls whether it was answered."""
    seen = ""
    for _ in range(calls):
        try:
            ecc.connect().call("RFC_PING")
        except RfcError:
            seen += "-"
        else:
            seen += "+"
    return seen


def test_a_share_of_calls_is_hit_as_the_seed_says(start_ecc: Callable[..., Ecc]) -> None:
    runs = []
    for seed in (7, 7, 8):
        ecc = start_ecc()
        ecc.fault("connection_lost", probability=0.5, seed=seed, count=None)
        runs.append(outcomes(ecc, 30))
    assert runs[0] == runs[1] != runs[2]
    assert "+" in runs[0]
    assert "-" in runs[0]


def test_an_error_rate_hits_without_any_fault_armed(start_ecc: Callable[..., Ecc]) -> None:
    runs = [outcomes(start_ecc(error_rate=0.3, seed=1), 30) for _ in range(2)]
    assert runs[0] == runs[1]
    assert 1 <= runs[0].count("-") <= 20


def test_a_fault_lets_pass_what_it_skips_and_ends_after_its_count(ecc: Ecc) -> None:
    ecc.fault("connection_lost", function="RFC_*", skip=2, count=2)
    assert outcomes(ecc, 6) == "++--++"
    assert ecc.get("faults") == {"items": [], "hits": {"connection_lost": 2}}


def test_a_fault_ends_with_its_time_or_when_it_is_removed(ecc: Ecc) -> None:
    ecc.fault("connection_lost", count=None, for_seconds=0.1)
    ecc.eventually(lambda: outcomes(ecc, 1) == "+")
    ecc.fault("connection_lost", count=None)
    assert outcomes(ecc, 1) == "-"
    ecc._http("DELETE", "faults")
    assert outcomes(ecc, 1) == "+"


@pytest.mark.parametrize("body", [{"kind": "flood"}, {"kind": "slow_call"}, {"kind": "shutdown", "seconds": 1}, "x"])
def test_an_unknown_fault_is_refused_with_the_reason(ecc: Ecc, body: Any) -> None:
    with pytest.raises(HTTPError) as error:
        ecc.post("faults", body)
    assert error.value.code == 400
