"""The simulator's client: a blocking RFC session over one kept-alive TCP connection."""

import contextlib
import http.client
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    LogonError,
    RfcError,
    RfcTimeoutError,
    Session,
)
from adapters.ecc.simulator.wire import arguments, interface, results

ERRORS: Mapping[str, type[RfcError]] = {
    error.__name__: error
    for error in (AbapApplicationError, AbapRuntimeError, CommunicationError, LogonError, RfcError)
}


class SimulatorConnection(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the simulator, and as whom.

    Parameters
    ----------
    url:
        ``http://host:port``.
    timeout:
        Seconds that connecting, logon and each call may take.
    """

    url: str
    client: str = "100"
    user: str = "ORDERBUS"
    passwd: str = "simulator"  # noqa: S105 - the simulator's own default
    lang: str = "EN"
    timeout: float = 60.0

    def __repr__(self) -> str:
        return f"SimulatorConnection(url={self.url!r}, client={self.client!r}, user={self.user!r}, lang={self.lang!r})"


class _Refusal(msgspec.Struct, frozen=True):
    type: str
    key: str
    message: str


class _Failure(msgspec.Struct, frozen=True):
    error: _Refusal


def connect(params: SimulatorConnection) -> Session:
    """Open a session.

    Raises
    ------
    LogonError
        The simulator refuses the logon.
    CommunicationError
        There is no simulator at that address, or it breaks the connection.
    """
    return _HttpSession(params)


class _HttpSession:
    """One connection, one session; any exception ends it."""

    def __init__(self, params: SimulatorConnection) -> None:
        address = urlsplit(params.url)
        self._http: http.client.HTTPConnection | None = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=params.timeout
        )
        try:
            self._http.connect()
        except OSError as error:
            self._drop()
            reason = error.strerror or type(error).__name__
            raise CommunicationError(f"cannot reach {params.url}: {reason}", "RFC_COMMUNICATION_FAILURE") from error
        # A reopened connection would be another session, without the work and the locks of this one.
        self._http.auto_open = 0
        logon = {name: getattr(params, name) for name in ("client", "user", "passwd", "lang")}
        self._post("/rfc/logon", logon)

    def call(self, function: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Call a function module; see `adapters.ecc.rfc.Session`."""
        try:
            described = interface(function)
            body = {"function": function, "parameters": arguments(described, parameters)}
            return results(described, self._post("/rfc/call", body))
        except Exception:
            self._drop()
            raise

    def commit(self) -> Mapping[str, Any]:
        """Commit and wait for the update task."""
        returned: Mapping[str, Any] = self.call("BAPI_TRANSACTION_COMMIT", WAIT="X")["RETURN"]
        return returned

    def rollback(self) -> None:
        """Roll back."""
        self.call("BAPI_TRANSACTION_ROLLBACK")

    def close(self) -> None:
        """Log off and close the connection."""
        if self._http is not None:
            # Whatever happens here, the session is over.
            with contextlib.suppress(RfcError):
                self._post("/rfc/close", {})
            self._drop()

    def _drop(self) -> None:
        connection, self._http = self._http, None
        if connection is not None:
            connection.close()

    def _post(self, path: str, body: Any) -> dict[str, Any]:
        if self._http is None:
            raise CommunicationError("the session is closed", "RFC_CLOSED")
        try:
            self._http.request("POST", path, msgspec.json.encode(body), {"Content-Type": "application/json"})
            response = self._http.getresponse()
            received = response.read()
        except TimeoutError as error:
            self._drop()
            raise RfcTimeoutError("no answer in time", "RFC_TIMEOUT") from error
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise CommunicationError(
                f"connection broken ({type(error).__name__})", "RFC_COMMUNICATION_FAILURE"
            ) from error
        if response.will_close:
            self._http.close()
        if response.status == http.client.OK:
            answer: dict[str, Any] = msgspec.json.decode(received, type=dict[str, Any])
            return answer
        self._drop()
        raise _error(response.status, received)


def _error(status: int, received: bytes) -> RfcError:
    try:
        refusal = msgspec.json.decode(received, type=_Failure).error
    except msgspec.DecodeError:
        return CommunicationError(f"no answer of an ECC simulator (HTTP {status})", "RFC_COMMUNICATION_FAILURE")
    return ERRORS.get(refusal.type, RfcError)(refusal.message, refusal.key)
