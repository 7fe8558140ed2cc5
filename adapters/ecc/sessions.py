"""The pool of RFC sessions: each used by the thread that opened it, and none used again after a failure."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from adapters.ecc import metrics
from adapters.ecc.answers import checked
from adapters.ecc.failures import call_failure, connect_failure
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
from schemas.failures import Transient

OUTCOMES: tuple[tuple[type[RfcError], str], ...] = (
    (RfcTimeoutError, "timeout"),
    (CommunicationError, "communication_error"),
    (LogonError, "logon_error"),
    (AbapApplicationError, "application_error"),
    (AbapRuntimeError, "runtime_error"),
    (RfcError, "error"),
)
"""What the metrics call each kind of error; the first that matches counts."""


class Conversation:
    """A session while one handler works with it: counted, and with its errors as failures of the bus.

    Parameters
    ----------
    session:
        The RFC session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def call(self, function: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Call a function module and return its exports and tables.

        Raises
        ------
        Failure
            As `adapters.ecc.failures.call_failure` says, or `adapters.ecc.answers.checked`.
        """
        with _measured(function):
            answer = self._session.call(function, **parameters)
        return checked(function, answer)

    def commit(self) -> Mapping[str, Any]:
        """Commit, wait for the update task, and return the ``RETURN`` structure (BAPIRET2).

        Raises
        ------
        Transient
            What became of the work is unknown: a retry has to look.
        """
        with _measured("BAPI_TRANSACTION_COMMIT"):
            outcome = self._session.commit()
        returned: Mapping[str, Any] = checked("BAPI_TRANSACTION_COMMIT", {"RETURN": outcome})["RETURN"]
        return returned

    def rollback(self) -> None:
        """Undo what was not committed and free its locks."""
        with _measured("BAPI_TRANSACTION_ROLLBACK"):
            self._session.rollback()


class _Idle(Struct):
    session: Session
    since: float


class Sessions:
    """Sessions of this process, at most so many at once.

    A thread gets the session back that it used before. One that has been idle for long, or that belongs to another
    thread while a new one is needed, is closed instead.

    Parameters
    ----------
    connect:
        Opens a session.
    size:
        How many may be open at once.
    idle_seconds:
        How long an unused session is trusted.
    wait_seconds:
        How long to wait for one to become free.
    """

    def __init__(
        self, connect: Connect, *, size: int = 4, idle_seconds: float = 300.0, wait_seconds: float = 60.0
    ) -> None:
        self._connect = connect
        self._size = size
        self._idle_seconds = idle_seconds
        self._wait_seconds = wait_seconds
        self._free = threading.Semaphore(size)
        self._guard = threading.Lock()
        self._idle: dict[int, _Idle] = {}
        self._in_use = 0
        self._closed = False

    @contextlib.contextmanager
    def take(self) -> Iterator[Conversation]:
        """Give a session for the length of a ``with`` block.

        Whoever leaves it normally has committed or rolled back. Any exception, also one that has nothing to do with
        RFC, closes the session and so rolls back: after a failed call pyrfc continues on a new session that knows
        nothing of the old one's work and locks, where a commit would commit nothing.

        Raises
        ------
        Outage
            No session could be opened.
        Transient
            None became free in time.
        """
        if not self._free.acquire(timeout=self._wait_seconds):
            raise Transient(
                f"All {self._size} RFC sessions of this process were in use for {self._wait_seconds:g} seconds.",
                "Raise `sessions` under [ecc] to the service's concurrency, as far as ECC has dialog processes.",
            )
        try:
            session = self._own() or self._opened()
            metrics.IN_USE.inc()
            try:
                yield Conversation(session)
            except BaseException:
                self._left(None)
                session.close()
                raise
            finally:
                metrics.IN_USE.dec()
            self._left(session)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle sessions now, and those in use when their handler is done."""
        with self._guard:
            self._closed = True
            idle = list(self._idle.values())
            self._idle.clear()
            metrics.IDLE.dec(len(idle))
        for kept in idle:
            kept.session.close()

    def _own(self) -> Session | None:
        """Return this thread's idle session; counts a session as in use in any case."""
        surplus: list[Session] = []
        with self._guard:
            kept = self._idle.pop(threading.get_ident(), None)
            if kept is not None:
                metrics.IDLE.dec()
            if kept is not None and time.monotonic() - kept.since > self._idle_seconds:
                surplus.append(kept.session)
                kept = None
            self._in_use += 1
            while len(self._idle) + self._in_use > self._size:
                oldest = min(self._idle, key=lambda thread: self._idle[thread].since)
                surplus.append(self._idle.pop(oldest).session)
                metrics.IDLE.dec()
        for session in surplus:
            session.close()
        return None if kept is None else kept.session

    def _opened(self) -> Session:
        try:
            session = self._connect()
        except BaseException as error:
            self._left(None)
            metrics.CONNECTS.labels(_outcome(error)).inc()
            if isinstance(error, RfcError):
                raise connect_failure(error) from error
            raise
        metrics.CONNECTS.labels("ok").inc()
        return session

    def _left(self, session: Session | None) -> None:
        with self._guard:
            self._in_use -= 1
            keep = session is not None and not self._closed
            if session is not None and keep:
                self._idle[threading.get_ident()] = _Idle(session, time.monotonic())
                metrics.IDLE.inc()
        if session is not None and not keep:
            session.close()


def _outcome(error: BaseException) -> str:
    if getattr(error, "key", "") == "FOREIGN_LOCK":
        return "locked"
    return next((outcome for kind, outcome in OUTCOMES if isinstance(error, kind)), "error")


@contextlib.contextmanager
def _measured(function: str) -> Iterator[None]:
    began = time.perf_counter()
    outcome = "ok"
    try:
        yield
    except RfcError as error:
        outcome = _outcome(error)
        raise call_failure(error, function) from error
    except BaseException:
        outcome = "error"
        raise
    finally:
        metrics.CALLS.labels(function, outcome).inc()
        metrics.SECONDS.labels(function).observe(time.perf_counter() - began)
