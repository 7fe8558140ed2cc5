"""How soon work goes on after what stood in its way, and whether everybody rushes at what has just returned."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from tests.faults.bench import Bench

Awaited: TypeAlias = Literal["broker", "ECC", "publisher"]
"""After the broker's return, every service's readiness; after ECC's, the next sales order; after the death of the order
publisher, the next order published."""

LOOK = 0.25
"""Seconds between two looks for what has recovered."""
FIRST_SECONDS = 5.0
"""Seconds after ECC's return in which the rush is counted."""
TRIES_OF_EACH = 2
"""Connections that a service may need: one may be tried just before the broker is all there."""


class Return(Struct, frozen=True):
    """What was waited for after the return of something."""

    of: Awaited
    seconds: float
    """From the end of the fault to the recovery."""
    calm: float
    """Those of them in which nothing else stood in the way."""
    over: bool = True
    """Whether it came."""


class Rush(Struct, frozen=True):
    """How much came at once upon a system that had just returned."""

    of: str
    seen: int
    may: int
    """The most that it may be."""


class _Wait(Struct):
    """What is waited for."""

    since: float
    done: Callable[[], bool]
    due: Callable[[], bool]
    """Whether there is something to do, so that the wait counts."""
    looked: float
    calm: float = 0.0


class Watch:
    """Looks, while faults come and go, for what recovers, and notes in the bench how long it took."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self._waits: dict[Awaited, _Wait] = {}
        self._next_look = 0.0
        self._before: tuple[float, dict[str, Any], int] | None = None
        """When ECC returned, its counts then, and how many services had been started."""
        self._attempts = (0, 0)
        """Connections tried, and services started, when the broker returned."""

    def close(self) -> None:
        """End the watch; what has not recovered is noted as such where it was due."""
        for of, wait in self._waits.items():
            if wait.calm:
                self._bench.returns.append(Return(of, time.monotonic() - wait.since, wait.calm, over=False))
        self._waits.clear()

    def broker_returned(self) -> None:
        """Begin to wait until every service is ready."""
        self._attempts = self._bench.attempted(), self._bench.starts
        self._wait("broker", self._bench.ready, lambda: True)

    def broker_left(self) -> None:
        """Wait no more: the broker has gone again."""
        self._waits.pop("broker", None)

    def ecc_returned(self) -> None:
        """Begin to wait for the next sales order, and to count what comes upon ECC."""
        bench = self._bench
        counts = self._counts()
        if counts is None:
            return
        documents, placed = counts["sales_orders"], len(bench.placed())
        self._before = time.monotonic(), counts, bench.starts
        self._wait("ECC", lambda: self._documents() > documents, lambda: len(bench.placed()) > placed)

    def publisher_started(self) -> None:
        """Begin to wait until the publisher, which has been started again, or its replica publishes an order."""
        bench = self._bench
        placed, published = bench.before_death or (0, 0)
        self._wait("publisher", lambda: bench.published() > published, lambda: len(bench.placed()) > placed)

    def look(self, hindered: Callable[[Awaited], bool]) -> None:
        """Look for what has recovered.

        Parameters
        ----------
        hindered:
            Whether something else stands in the way of a recovery at present.
        """
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK
        if self._bench.publisher_started:
            self._bench.publisher_started = False
            self.publisher_started()
        for of, wait in list(self._waits.items()):
            # Without a publisher there is no order that ECC could be given.
            if wait.due() and not hindered(of) and not (of == "ECC" and "publisher" in self._waits):
                wait.calm += now - wait.looked
            wait.looked = now
            if wait.done():
                del self._waits[of]
                seconds = max(0.0, now - wait.since)  # a wait may have begun in this very look
                self._bench.returns.append(Return(of, seconds, min(wait.calm, seconds)))
                if of == "broker":
                    self._count_connections()
                elif of == "publisher":
                    self._bench.before_death = None
        if self._before is not None and now - self._before[0] >= FIRST_SECONDS:
            self._count_sessions()

    def _wait(self, of: Awaited, done: Callable[[], bool], due: Callable[[], bool]) -> None:
        now = time.monotonic()
        self._waits[of] = _Wait(now, done, due, looked=now)

    def _counts(self) -> dict[str, Any] | None:
        with suppress(OSError):
            return self._bench.ecc_counts()
        return None

    def _documents(self) -> int:
        counts = self._counts()
        return 0 if counts is None else int(counts["sales_orders"])

    def _count_sessions(self) -> None:
        """Compare what came upon ECC in its first seconds with what the configured sessions can carry."""
        after = self._counts()
        assert self._before is not None
        if after is None:
            return
        _, before, starts = self._before
        self._before = None
        sessions = self._bench.ecc_sessions
        # A service that was started anew logs on again, and so does one whose connection a fault broke.
        again = sum(after["faults"].values()) - sum(before["faults"].values())
        again += (self._bench.starts - starts) * self._bench.sessions
        self._bench.rushes += [
            Rush("logons at ECC", after["logons"] - before["logons"], sessions + again),
            Rush("calls at once at ECC", after["most_at_once"], sessions),
            Rush("calls that ECC turned away", after["turned_away"] - before["turned_away"], 0),
        ]

    def _count_connections(self) -> None:
        """Compare the connections tried since the broker's return with the services that need one."""
        attempts, starts = self._attempts
        services = len(self._bench.services) + self._bench.starts - starts
        self._bench.rushes.append(
            Rush("connections to the broker", self._bench.attempted() - attempts, TRIES_OF_EACH * services)
        )
