"""What an RFC error or a RETURN table means to the bus: wait, open the circuit, or ask a person."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    LogonError,
    RfcError,
    RfcTimeoutError,
)
from schemas.failures import Busy, Failure, Outage, Permanent, Transient

LONGEST = 400
"""Characters of SAP's own words that an error text repeats."""
RETRIED = "It is tried again by itself; if it stays, look at the session and its locks in ECC (SM04, SM12, SM13, ST22)."
FOREIGN_LOCK = "FOREIGN_LOCK"
"""Key of the error that another session, or the update task of one, holds the lock that the call needs."""
LOCKED = ("MC", "601")
"""ID and NUMBER of the message that another transaction has the object locked."""
MISSING = frozenset({"FU_NOT_FOUND", "CALL_FUNCTION_NOT_FOUND", "CALL_FUNCTION_NOT_REMOTE"})
"""Keys of errors that every call of the function module would end in: it is not there, or not remote-enabled."""
FORBIDDEN = frozenset({"RFC_NO_AUTHORITY", "CALL_FUNCTION_SINGLE_LOGIN_REJ", "NO_AUTHORITY"})
"""Keys of errors that say that the RFC user lacks an authorisation."""
MISTAKES = frozenset({"RFC_INVALID_PARAMETER", "RFC_CONVERSION_FAILURE", "RFC_TYPE_MISMATCH"})
"""Keys of errors raised before anything was sent: the call does not match the function module's interface."""


def call_failure(error: RfcError, function: str) -> Failure:
    """Return what the bus should make of a call that failed.

    Parameters
    ----------
    function:
        Name of the function module, for the text.
    """
    said = quoted(str(error))
    if error.key in MISSING:
        return Outage(
            f"ECC has no remote-enabled function module {function} ({said}).",
            "Import the function modules that docs/ecc-interfaces.md describes, then `orderbus check`.",
        )
    if error.key in FORBIDDEN:
        return Outage(
            f"ECC's RFC user may not call {function} ({said}).",
            "Give the user S_RFC for its function group, then `orderbus check`.",
        )
    if isinstance(error, LogonError):
        return connect_failure(error)
    if isinstance(error, AbapApplicationError) and error.key.startswith("INVALID_"):
        return Permanent(f"{function} refused its input ({said}).", "Correct what it names, and retry.")
    if error.key in MISTAKES:
        return Permanent(
            f"The call of {function} does not match its interface in ECC ({said}).",
            "Compare the function module with docs/ecc-interfaces.md, then retry.",
        )
    passing = Busy if error.key == FOREIGN_LOCK else Transient
    return passing(f"{function} {_happened(error)} ({said}).", RETRIED)


def _happened(error: RfcError) -> str:
    """Return what a failure that may pass did to a call."""
    if error.key == FOREIGN_LOCK:
        return "found the lock with another session or an update task"
    if isinstance(error, RfcTimeoutError):
        return "gave no answer in time, and may yet take effect"
    if isinstance(error, CommunicationError):
        return "lost the connection, and may have taken effect"
    return "ended in a short dump" if isinstance(error, AbapRuntimeError) else "failed"


def connect_failure(error: RfcError) -> Outage:
    """Return what the bus should make of a session that could not be opened: no message could be worked on."""
    said = quoted(str(error))
    if isinstance(error, LogonError):
        return Outage(
            f"ECC refused the logon ({said}).",
            "Check client, user, password and language under [ecc.connection], and whether the user is locked (SU01).",
        )
    return Outage(
        f"ECC cannot be reached ({said}).",
        "Check that it runs and has free dialog processes (SM50), and host and system number under [ecc.connection].",
    )


def check_return(
    rows: Iterable[Mapping[str, Any]], where: str, transient_messages: Collection[tuple[str, str]] = ()
) -> None:
    """Check a RETURN table (BAPIRET2): any message of type E or A means that nothing was done.

    Parameters
    ----------
    where:
        What was tried, for the text: ``"Order default-000000011"``.
    transient_messages:
        (ID, NUMBER) of messages that may pass by themselves, such as a locked customer. One of them makes the whole
        failure transient, since SAP adds general messages to it ("not changed").

    Raises
    ------
    Transient
        A message among the errors is one of `transient_messages`; `Busy` where it is that of a lock.
    Permanent
        All errors need a person.
    """
    errors = [row for row in rows if str(row.get("TYPE", "")) in {"E", "A"}]
    if not errors:
        return
    texts = [_message(row) for row in errors]
    cause = quoted(f"{where}: ECC refused it: {'; '.join(dict.fromkeys(texts))}.", 4 * LONGEST)
    passing = {(str(row.get("ID", "")), str(row.get("NUMBER", ""))) for row in errors}.intersection(transient_messages)
    if passing:
        raise (Busy if LOCKED in passing else Transient)(cause, RETRIED)
    raise Permanent(
        cause, "Correct what ECC names, there, in the shop or in the configuration of the store, and retry."
    )


def quoted(text: str, longest: int = LONGEST) -> str:
    r"""Return SAP's words as an error text may repeat them: on one line, bounded, without e-mail addresses.

    >>> quoted("E-mail jane@example.com\nis taken")
    'E-mail *** is taken'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    line = re.sub(r"\S+@\S+", "***", line)
    return line if len(line) <= longest else f"{line[:longest]}..."


def _message(row: Mapping[str, Any]) -> str:
    """Return ``"text (V1 384)"``; the message's own text, or its number where SAP filled none."""
    identity = f"{row.get('ID', '')} {row.get('NUMBER', '')}".strip()
    text = str(row.get("MESSAGE", "")).strip().rstrip(".")
    return f"{text} ({identity})" if text else f"message {identity}"
