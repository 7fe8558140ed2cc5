"""One connection is one session."""

import socket
from collections.abc import Callable

import pytest

from adapters.ecc.rfc import AbapApplicationError, CommunicationError, LogonError, RfcTimeoutError
from adapters.ecc.simulator.client import SimulatorConnection, connect
from tests.ecc_simulator.conftest import Ecc, created, opened


@pytest.mark.parametrize("wrong", [{"passwd": "secret-guess"}, {"user": "NOBODY"}, {"client": "200"}, {"lang": "FR"}])
def test_a_wrong_logon_is_refused_without_repeating_what_was_given(ecc: Ecc, wrong: dict[str, str]) -> None:
    with pytest.raises(LogonError) as error:
        ecc.connect(**wrong)
    assert "secret-guess" not in str(error.value)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(CommunicationError, match="cannot reach"):
        connect(SimulatorConnection(url=f"http://127.0.0.1:{port}"))


def test_what_a_session_did_is_gone_when_its_connection_dies(ecc: Ecc) -> None:
    session = ecc.connect()
    opened(session)
    assert created(session)["SALESDOCUMENT"]
    session._http.sock.close()
    ecc.eventually(lambda: ecc.counts()["sessions"] == 0)
    assert ecc.counts()["locks"] == 0
    assert ecc.counts()["sales_orders"] == 0
    assert opened(ecc.connect()) == ""


def test_two_sessions_have_work_of_their_own(ecc: Ecc) -> None:
    one, other = ecc.connect(), ecc.connect()
    created(one, "default-1")
    created(other, "default-2")
    one.rollback()
    one.commit()
    other.commit()
    assert [order["purch_no_c"] for order in ecc.get("sales-orders")["items"]] == ["default-2"]


def test_a_session_is_dead_after_any_exception(ecc: Ecc) -> None:
    session = ecc.connect()
    created(session)
    with pytest.raises(AbapApplicationError):
        session.call("Z_ORDERBUS_ORDER_OPEN", IV_ORDER_KEY=" ")
    with pytest.raises(CommunicationError):
        session.commit()
    ecc.eventually(lambda: ecc.counts()["sessions"] == 0)
    assert ecc.counts()["sales_orders"] == 0


def test_a_dropped_connection_is_never_opened_again_behind_the_callers_back(ecc: Ecc) -> None:
    session = ecc.connect()
    created(session)
    ecc.fault("connection_lost", when="afterwards", function="RFC_PING")
    session.call("RFC_PING")
    with pytest.raises(CommunicationError):
        session.commit()
    assert ecc.counts()["logons"] == 1


def test_close_frees_locks_before_it_returns(ecc: Ecc) -> None:
    session = ecc.connect()
    opened(session, scope="1")
    session.close()
    assert ecc.counts()["locks"] == 0
    session.close()


def test_a_call_that_takes_too_long_is_a_timeout(start_ecc: Callable[..., Ecc]) -> None:
    ecc = start_ecc(latencies={"RFC_PING": 30.0})
    session = ecc.connect(timeout=0.2)
    with pytest.raises(RfcTimeoutError):
        session.call("RFC_PING")
    with pytest.raises(CommunicationError, match="closed"):
        session.call("RFC_PING")
