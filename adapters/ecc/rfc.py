"""The narrow seam to RFC: one stateful session, and the errors a call can end in.

Two implementations exist: `adapters.ecc.netweaver` (pyrfc) and `adapters.ecc.simulator.client`. Names of the errors
follow pyrfc's, whose meaning they keep.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias


class RfcError(Exception):
    """A call, logon or connection failed.

    Parameters
    ----------
    message:
        SAP's own text.
    key:
        SAP's key of the error, e.g. the name of a classic exception: ``"FOREIGN_LOCK"``.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.message = message
        self.key = key


class AbapApplicationError(RfcError):
    """The function module raised a classic exception; the session lives on in pyrfc only after a reconnect."""


class AbapRuntimeError(RfcError):
    """The function module ended in a short dump or an A/X message; the session is gone."""


class CommunicationError(RfcError):
    """The connection broke, or could not be made; what was uncommitted is rolled back, a commit may or may not be."""


class RfcTimeoutError(CommunicationError):
    """The answer did not come in time; the call may still take effect."""


class LogonError(RfcError):
    """User, password, client or licence were refused."""


class Session(Protocol):
    """One stateful RFC session: one connection, used by one thread at a time.

    After any exception the session has lost its locks and its uncommitted work: never commit, close it instead.
    """

    def call(self, function: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Call a function module and return its exports and tables.

        Structures are dicts, tables lists of dicts; CHAR and NUMC are `str`, DEC and CURR `decimal.Decimal`, INT4
        `int`.

        Raises
        ------
        RfcError
            One of its subclasses above.
        """
        ...

    def commit(self) -> Mapping[str, Any]:
        """Call BAPI_TRANSACTION_COMMIT with ``WAIT='X'`` and return its ``RETURN`` structure (BAPIRET2)."""
        ...

    def rollback(self) -> None:
        """Call BAPI_TRANSACTION_ROLLBACK; frees the locks that no commit handed on."""
        ...

    def close(self) -> None:
        """End the session; never raises."""
        ...


Connect: TypeAlias = Callable[[], Session]
"""Opens a new session; raises `LogonError` or `CommunicationError`."""
