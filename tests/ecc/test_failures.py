"""What errors of RFC mean to the bus: retry, open the circuit, or ask a person."""

import pytest

from adapters.ecc.failures import call_failure, check_return, connect_failure
from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    LogonError,
    RfcError,
    RfcTimeoutError,
)
from schemas.failures import Busy, Failure, Outage, Permanent, Transient


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AbapApplicationError("held by ERIKA", "FOREIGN_LOCK"), Busy),
        (AbapApplicationError("no such function", "FU_NOT_FOUND"), Outage),
        (AbapApplicationError("order key", "INVALID_KEY"), Permanent),
        (AbapApplicationError("lock server", "SYSTEM_FAILURE"), Transient),
        (AbapRuntimeError("dump", "TSV_TNEW_PAGE_ALLOC_FAILED"), Transient),
        (AbapRuntimeError("no authority", "RFC_NO_AUTHORITY"), Outage),
        (RfcTimeoutError("60 s", "RFC_CANCELED"), Transient),
        (CommunicationError("connection reset", "RFC_COMMUNICATION_FAILURE"), Transient),
        (LogonError("password", "RFC_LOGON_FAILURE"), Outage),
        (RfcError("field FOO", "RFC_INVALID_PARAMETER"), Permanent),
        (RfcError("something", ""), Transient),
    ],
)
def test_errors_of_a_call(error: RfcError, kind: type[Failure]) -> None:
    failure = call_failure(error, "Z_ORDERBUS_ORDER_OPEN")
    assert type(failure) is kind
    assert "Z_ORDERBUS_ORDER_OPEN" in failure.cause or isinstance(error, LogonError)
    assert failure.remedy


@pytest.mark.parametrize("error", [LogonError("bad"), CommunicationError("partner not reached"), RfcError("?")])
def test_no_connection_is_an_outage(error: RfcError) -> None:
    assert isinstance(connect_failure(error), Outage)


LOCKED = {"TYPE": "E", "ID": "MC", "NUMBER": "601", "MESSAGE": "Object requested is currently locked"}
REFUSED = {"TYPE": "E", "ID": "V1", "NUMBER": "799", "MESSAGE": "Material FOO is not defined"}
ABORTED = {"TYPE": "A", "ID": "V4", "NUMBER": "219", "MESSAGE": "Sales document was not changed"}
FINE = {"TYPE": "S", "ID": "V1", "NUMBER": "311", "MESSAGE": "Standard Order 1 has been saved"}
WARNED = {"TYPE": "W", "ID": "V1", "NUMBER": "798", "MESSAGE": "Price is missing"}


def test_success_and_warnings_pass() -> None:
    check_return([FINE, WARNED, {"TYPE": "", "MESSAGE": ""}], "Order 1")


@pytest.mark.parametrize("row", [REFUSED, ABORTED])
def test_errors_are_permanent_with_saps_own_text_and_number(row: dict[str, str]) -> None:
    with pytest.raises(Permanent) as caught:
        check_return([FINE, row], "Order 1", [("MC", "601")])
    assert f"{row['MESSAGE']} ({row['ID']} {row['NUMBER']})" in caught.value.cause


def test_a_lock_among_the_errors_makes_them_transient_where_configured() -> None:
    with pytest.raises(Busy):
        check_return([ABORTED, LOCKED], "Order 1", [("MC", "601")])
    with pytest.raises(Transient) as caught:
        check_return([ABORTED, REFUSED], "Order 1", [("V1", "799")])
    assert type(caught.value) is Transient
    with pytest.raises(Permanent):
        check_return([ABORTED, LOCKED], "Order 1")


def test_texts_are_bounded_on_one_line_and_without_addresses() -> None:
    hostile = {**REFUSED, "MESSAGE": "jane.doe@example.com\r\n\x1b[31m" + "x" * 100_000}
    with pytest.raises(Permanent) as caught:
        check_return([hostile] * 1000, "Order 1")
    assert "example.com" not in caught.value.cause
    assert caught.value.cause.isprintable()
    assert len(caught.value.cause) < 2000
