"""The contract of our pyrfc adapter with pyrfc, as its documentation states it.

pyrfc needs SAP's licensed library and is not installed here: what stands in for it has pyrfc's documented signatures,
errors and type rules. So these tests show that the adapter keeps to them, not that pyrfc does.
"""

import sys
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from adapters.ecc import rfc
from adapters.ecc.config import EccConfig, NetWeaver
from adapters.ecc.connect import open_sessions
from adapters.ecc.dictionary import FUNCTIONS
from adapters.ecc.netweaver import connector
from schemas.failures import Outage, Permanent, Transient
from tests.ecc.examples import STORE

LOGON = NetWeaver(ashost="ecc.example", sysnr="00", client="100", user="ORDERBUS", passwd="hidden")


class RFCError(Exception):
    """The root of pyrfc's errors."""


class RFCLibError(RFCError):
    """An error that carries SAP's own key."""

    def __init__(self, message: str = "", code: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.key = message, code, key


class Documented(ModuleType):
    """``pyrfc`` as far as the adapter uses it."""

    def __init__(self) -> None:
        super().__init__("pyrfc")
        self.RFCError = RFCError
        for name in (
            "ABAPApplicationError",
            "ABAPRuntimeError",
            "LogonError",
            "CommunicationError",
            "ExternalRuntimeError",
            "ExternalApplicationError",
            "ExternalAuthorizationError",
        ):
            setattr(self, name, type(name, (RFCLibError,), {}))
        self.connections: list[Connection] = []
        self.raises: dict[str, BaseException] = {}
        self.answers: dict[str, dict[str, Any]] = {"BAPI_TRANSACTION_COMMIT": {"RETURN": {"TYPE": ""}}}
        module = self

        class Bound(Connection):
            def __init__(self, config: dict[str, Any], **params: str) -> None:
                super().__init__(module, config, **params)

        self.Connection = Bound


class Connection:
    """``pyrfc.Connection`` that records what it is asked."""

    def __init__(self, module: Documented, config: dict[str, Any], **params: str) -> None:
        assert all(isinstance(value, str) for value in params.values())
        if error := module.raises.get("open"):
            raise error
        self.module, self.config, self.params = module, config, params
        self.calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.looked_up: list[str] = []
        self.reopened = 0
        self.closed = False
        module.connections.append(self)

    def call(self, func_name: str, options: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        assert not self.closed
        _typed(params)
        self.calls.append((func_name, options or {}, params))
        if error := self.module.raises.get(func_name):
            self.reopened += 1
            raise error
        return self.module.answers.get(func_name, {})

    def get_function_description(self, func_name: str) -> object:
        self.looked_up.append(func_name)
        if error := self.module.raises.get(f"look up {func_name}"):
            raise error
        return object()

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed = True
        if error := self.module.raises.get("close"):
            raise error


def _typed(value: Any) -> None:
    """Refuse what pyrfc refuses: `int` for a packed number; INT4 is the only one the adapter calls with."""
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(part, dict | list):
            _typed(part)
        elif isinstance(part, int) and not str(name).startswith(("IV_MAX", "IV_LEASE_SECONDS")):
            raise TypeError("a bytes-like object is required, not 'int'")
        elif isinstance(part, str) and part and part[0].isdigit() and "E+" in part:
            raise TypeError("exponents are no digits")
        else:
            assert isinstance(part, str | int), "Decimals arrive as digits"


@pytest.fixture
def pyrfc(monkeypatch: pytest.MonkeyPatch) -> Documented:
    module = Documented()
    monkeypatch.setitem(sys.modules, "pyrfc", module)
    return module


def test_a_missing_pyrfc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrfc", None)
    with pytest.raises(Permanent) as caught:
        connector(LOGON, "secret", 30)
    assert all(word in caught.value.remedy for word in ("pyrfc==3.3.1", "Cython<3.1", "SAPNWRFC_HOME"))


def test_logon_parameters_are_strings_and_only_those_given(pyrfc: Documented) -> None:
    connector(LOGON, "secret", 30)()
    assert pyrfc.connections[0].params == {
        "ashost": "ecc.example",
        "sysnr": "00",
        "client": "100",
        "user": "ORDERBUS",
        "passwd": "secret",
        "lang": "EN",
    }
    assert pyrfc.connections[0].config["dtime"] is False


def test_metadata_is_looked_up_once_and_a_failed_look_up_reopens(pyrfc: Documented) -> None:
    pyrfc.raises["look up Z_ORDERBUS_ORDER_OPEN"] = pyrfc.ABAPApplicationError("missing", key="FU_NOT_FOUND")
    connect = connector(LOGON, "secret", 30)
    connect()
    connect()
    first, second = pyrfc.connections
    assert set(first.looked_up) == set(FUNCTIONS)
    assert first.reopened == 1
    assert second.looked_up == []


def test_calls_carry_the_timeout_and_decimals_as_digits(pyrfc: Documented) -> None:
    session = connector(LOGON, "secret", 30)()
    session.call("BAPI_X", ORDER_CONDITIONS_IN=[{"COND_VALUE": Decimal("1E+2")}], IV_MAX_ROWS=5)
    name, options, parameters = pyrfc.connections[0].calls[0]
    assert (name, options) == ("BAPI_X", {"timeout": 30})
    assert parameters == {"ORDER_CONDITIONS_IN": [{"COND_VALUE": "100"}], "IV_MAX_ROWS": 5}


def test_commit_waits_and_returns_its_message(pyrfc: Documented) -> None:
    session = connector(LOGON, "secret", 30)()
    assert session.commit() == {"TYPE": ""}
    session.rollback()
    assert [call[0] for call in pyrfc.connections[0].calls] == ["BAPI_TRANSACTION_COMMIT", "BAPI_TRANSACTION_ROLLBACK"]
    assert pyrfc.connections[0].calls[0][2] == {"WAIT": "X"}


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("ABAPApplicationError", "FOREIGN_LOCK", rfc.AbapApplicationError),
        ("ABAPRuntimeError", "DBIF_RSQL", rfc.AbapRuntimeError),
        ("LogonError", "RFC_LOGON_FAILURE", rfc.LogonError),
        ("CommunicationError", "RFC_COMMUNICATION_FAILURE", rfc.CommunicationError),
        ("ExternalRuntimeError", "RFC_CANCELED", rfc.RfcTimeoutError),
        ("ExternalRuntimeError", "RFC_INVALID_PARAMETER", rfc.RfcError),
        ("ExternalRuntimeError", "RFC_INVALID_HANDLE", rfc.CommunicationError),
        ("ExternalApplicationError", "", rfc.RfcError),
    ],
)
def test_errors_keep_their_meaning(pyrfc: Documented, name: str, key: str, expected: type[rfc.RfcError]) -> None:
    pyrfc.raises["Z"] = getattr(pyrfc, name)("said", key=key)
    with pytest.raises(rfc.RfcError) as caught:
        connector(LOGON, "secret", 30)().call("Z")
    assert type(caught.value) is expected
    assert (caught.value.message, caught.value.key) == ("said", key)


@pytest.mark.usefixtures("pyrfc")
def test_a_value_of_the_wrong_type_is_a_mistake_of_the_call_and_is_not_repeated() -> None:
    with pytest.raises(rfc.RfcError) as caught:
        connector(LOGON, "secret", 30)().call("Z", QUANTITY=5)
    assert caught.value.key == "RFC_CONVERSION_FAILURE"
    assert "5" not in str(caught.value)


def test_close_never_raises(pyrfc: Documented) -> None:
    pyrfc.raises["close"] = pyrfc.CommunicationError("gone")
    connector(LOGON, "secret", 30)().close()


def test_after_a_failed_call_the_reopened_connection_is_not_used_again(pyrfc: Documented) -> None:
    """It would commit nothing, and hold no lock."""
    sessions = open_sessions(EccConfig(connection=LOGON, default=STORE))
    pyrfc.raises["Z_ORDERBUS_ORDER_OPEN"] = pyrfc.CommunicationError("lost", key="RFC_COMMUNICATION_FAILURE")
    with pytest.raises(Transient), sessions.take() as session:
        session.call("Z_ORDERBUS_ORDER_OPEN")
    assert pyrfc.connections[0].closed
    pyrfc.raises.clear()
    with sessions.take() as session:
        session.commit()
    assert len(pyrfc.connections) == 2
    assert pyrfc.connections[0].calls[-1][0] == "Z_ORDERBUS_ORDER_OPEN"


def test_a_refused_logon_is_an_outage_without_the_password(pyrfc: Documented) -> None:
    pyrfc.raises["open"] = pyrfc.LogonError("Name or password is incorrect", key="RFC_LOGON_FAILURE")
    sessions = open_sessions(EccConfig(connection=LOGON, default=STORE))
    with pytest.raises(Outage) as caught, sessions.take():
        pass
    assert "hidden" not in str(caught.value)
    assert "password" in caught.value.remedy
