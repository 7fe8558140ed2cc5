"""RFC sessions through pyrfc, SAP's own binding, which is imported only here and only when it is used.

pyrfc reopens a connection by itself after a failed call, and raises: what was locked or not committed is gone with the
old session. `adapters.ecc.sessions` therefore closes a session after any error, which also covers the failed metadata
look-up that does not reopen.
"""

import importlib
import threading
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.ecc.config import NetWeaver
from adapters.ecc.dictionary import FUNCTIONS
from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    Connect,
    LogonError,
    RfcError,
    RfcTimeoutError,
    Session,
)
from schemas.failures import Permanent

CONFIG = {"dtime": False, "rstrip": True, "return_import_params": False}
"""pyrfc's own settings: dates as texts of eight digits, CHAR without trailing spaces, exports and tables alone."""
LOCAL: Mapping[str, type[RfcError]] = {
    "RFC_CANCELED": RfcTimeoutError,
    "RFC_TIMEOUT": RfcTimeoutError,
    "RFC_INVALID_PARAMETER": RfcError,
    "RFC_CONVERSION_FAILURE": RfcError,
    "RFC_TYPE_MISMATCH": RfcError,
}
"""What pyrfc's ExternalRuntimeError means by its key: a call that it cancelled when its time was up, or one that does
not match the interface and was never sent. With any other key the outcome of the call is unknown."""
KINDS: tuple[tuple[str, type[RfcError]], ...] = (
    ("ABAPApplicationError", AbapApplicationError),
    ("ABAPRuntimeError", AbapRuntimeError),
    ("LogonError", LogonError),
    ("CommunicationError", CommunicationError),
    ("ExternalRuntimeError", CommunicationError),
)
"""pyrfc's exception classes as the seam's."""


def connector(config: NetWeaver, passwd: str, timeout: float, functions: Iterable[str] = FUNCTIONS) -> Connect:
    """Return what opens sessions through pyrfc.

    Parameters
    ----------
    passwd:
        The user's password; empty with SNC.
    timeout:
        Seconds that a call may take.
    functions:
        Function modules whose metadata is looked up once, at the first connect: the look-up holds the interpreter's
        lock and would stall the other threads while orders flow.

    Raises
    ------
    Permanent
        pyrfc, or SAP's library beneath it, is not installed.
    """
    try:
        pyrfc: Any = importlib.import_module("pyrfc")
    except ImportError as error:
        raise Permanent(
            f"pyrfc cannot be imported ({error}).",
            "Install SAP's NW RFC SDK, set SAPNWRFC_HOME to it, then `pip install 'Cython<3.1'` and"
            " `pip install --no-build-isolation pyrfc==3.3.1` (the extra `ecc`).",
        ) from None
    logon = {
        name: value
        for name in config.__struct_fields__
        if name not in {"passwd", "passwd_env"} and (value := getattr(config, name))
    }
    if passwd:
        logon["passwd"] = passwd
    look_up = _LookUp(pyrfc, tuple(functions))

    def connect() -> Session:
        try:
            connection = pyrfc.Connection(config=CONFIG, **logon)
        except pyrfc.RFCError as error:
            raise _translated(pyrfc, error) from error
        look_up.once(connection)
        return NetWeaverSession(pyrfc, connection, timeout)

    return connect


class NetWeaverSession:
    """One pyrfc connection.

    Parameters
    ----------
    pyrfc:
        The module, for its exception classes.
    connection:
        A ``pyrfc.Connection``.
    timeout:
        Seconds that a call may take.
    """

    def __init__(self, pyrfc: Any, connection: Any, timeout: float) -> None:
        self._pyrfc = pyrfc
        self._connection = connection
        self._timeout = timeout

    def call(self, function: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Call a function module, see `adapters.ecc.rfc.Session.call`."""
        plain = {name: _plain(value) for name, value in parameters.items()}
        try:
            answer: Mapping[str, Any] = self._connection.call(function, options={"timeout": self._timeout}, **plain)
        except self._pyrfc.RFCError as error:
            raise _translated(self._pyrfc, error) from error
        except (TypeError, ValueError) as error:
            # Raised while pyrfc fills the parameters, before anything is sent; its text may repeat the value.
            raise RfcError(type(error).__name__, "RFC_CONVERSION_FAILURE") from None
        return answer

    def commit(self) -> Mapping[str, Any]:
        """Commit and wait for the update task, see `adapters.ecc.rfc.Session.commit`."""
        outcome: Mapping[str, Any] = self.call("BAPI_TRANSACTION_COMMIT", WAIT="X")["RETURN"]
        return outcome

    def rollback(self) -> None:
        """Roll back, see `adapters.ecc.rfc.Session.rollback`."""
        self.call("BAPI_TRANSACTION_ROLLBACK")

    def close(self) -> None:
        """End the session; never raises."""
        try:
            self._connection.close()
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not used again
            return


class _LookUp:
    """Looks up the interfaces of the function modules, once in a process."""

    def __init__(self, pyrfc: Any, functions: tuple[str, ...]) -> None:
        self._pyrfc = pyrfc
        self._functions = functions
        self._guard = threading.Lock()
        self._done = False

    def once(self, connection: Any) -> None:
        with self._guard:
            if self._done:
                return
            for function in self._functions:
                try:
                    connection.get_function_description(function)
                except self._pyrfc.RFCError:
                    # Missing, or not allowed: the call says so. This failure alone does not reopen by itself.
                    connection.reopen()
            self._done = True


def _plain(value: Any) -> Any:
    """Return a parameter as pyrfc takes it: packed numbers as digits without exponent."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _translated(pyrfc: Any, error: Exception) -> RfcError:
    """Return pyrfc's error as the seam's; the subclass that says most comes first."""
    message = str(getattr(error, "message", "") or error)
    key = str(getattr(error, "key", "") or "")
    if isinstance(error, pyrfc.ExternalRuntimeError) and key in LOCAL:
        return LOCAL[key](message, key)
    for name, kind in KINDS:
        if isinstance(error, getattr(pyrfc, name)):
            return kind(message, key)
    return RfcError(message, key)
