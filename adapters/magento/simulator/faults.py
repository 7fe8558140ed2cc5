"""Faults on order: latency, few workers, refusals and lost answers, repeatable by their seed."""

import asyncio
import random
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from .clock import Clock

Probability = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Kind = Literal[
    "error", "deadlock", "unauthorized", "too_many", "bad_gateway", "maintenance", "db_down", "cut", "cut_before"
]
WRITES = frozenset({"POST", "PUT", "DELETE"})


class Planned(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of fault for the next matching requests."""

    kind: Kind
    times: Annotated[int, Meta(ge=1)] = 1
    method: str | None = None
    """HTTP method to match; None matches all."""
    path: str = ""
    """What the path must contain, e.g. ``"/V1/orders"``."""


class Faults(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """What goes wrong, and how often.

    Probabilities are drawn from one random sequence per seed, so that the same requests in the same order
    meet the same faults. They concern the REST API alone, never ``/_simulator/``.
    """

    seed: int = 1
    latency: Seconds = 0.0
    """Service time of each request in seconds; a write spends it between reading its rows and writing them."""
    latency_jitter: Probability = 0.0
    """Share of the latency by which it varies up and down."""
    workers: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """Requests served at once, the others queue (PHP's workers); 0 means no bound."""
    error_rate: Probability = 0.0
    """500 with Magento's ``Internal Error`` body, before any effect."""
    deadlock_rate: Probability = 0.0
    """The same body on a write, as a database deadlock gives it: rolled back, safe to repeat."""
    unauthorized_rate: Probability = 0.0
    """401 as for an expired token, before any effect."""
    token_lifetime: Annotated[float, Meta(ge=0)] = 3600.0
    """Seconds that admin and customer tokens live."""
    too_many_rate: Probability = 0.0
    """429, as a web application firewall in front of a shop answers."""
    requests_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """429 beyond this rate; 0 means no bound."""
    retry_after: Annotated[int, Meta(ge=0)] | None = None
    """Seconds in the Retry-After header of a 429; None leaves it out."""
    bad_gateway_rate: Probability = 0.0
    """502 in HTML, as nginx answers without PHP."""
    maintenance: bool = False
    """503 in HTML to everything."""
    db_down: bool = False
    """500 in text/plain to everything."""
    cut_after_write_rate: Probability = 0.0
    """The write takes effect, then the connection is cut without an answer."""
    slow_page_rate: Probability = 0.0
    """Searches that take `slow_page_seconds` longer."""
    slow_page_seconds: Seconds = 5.0
    clock_offset: Annotated[float, Meta(ge=-86_400, le=86_400)] = 0.0
    """Seconds by which the shop's clock is ahead of the wall clock."""
    planned: tuple[Planned, ...] = ()
    """Faults for the next matching requests, before anything is drawn."""


class Injector:
    """Decides which fault a request meets."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._clock = clock
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Replace the faults; a new random sequence begins."""
        self.faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable on purpose
        self._planned = {index: plan.times for index, plan in enumerate(faults.planned)}
        self._workers = asyncio.Semaphore(faults.workers) if faults.workers else None
        self._tokens = faults.requests_per_second
        self._refilled = 0.0
        self._clock.offset = faults.clock_offset

    def left(self) -> Faults:
        """Return the faults, the planned ones without those that requests have met."""
        plans = tuple(
            structs.replace(plan, times=self._planned[index])
            for index, plan in enumerate(self.faults.planned)
            if self._planned[index] > 0
        )
        return structs.replace(self.faults, planned=plans)

    def worker(self) -> AbstractAsyncContextManager[None]:
        """Return what a request holds while it is served."""
        return self._workers or nullcontext()

    def latency(self) -> float:
        """Draw the service time of a request, in seconds."""
        faults = self.faults
        if not faults.latency_jitter:
            return faults.latency
        return faults.latency * (1 + faults.latency_jitter * self._random.uniform(-1, 1))

    def slow_page(self) -> float:
        """Draw the extra seconds of a search."""
        return self.faults.slow_page_seconds if self._hits(self.faults.slow_page_rate) else 0.0

    def draw(self, method: str, path: str, now: float) -> Kind | None:
        """Return the fault that this request meets, if any.

        Parameters
        ----------
        now:
            Seconds of a monotonic clock, for the rate limit.
        """
        for index, plan in enumerate(self.faults.planned):
            matches = plan.path in path and plan.method in (None, method)
            if matches and self._planned[index] > 0:
                self._planned[index] -= 1
                return plan.kind
        if self.faults.maintenance:
            return "maintenance"
        if self.faults.db_down:
            return "db_down"
        if self._over_rate(now):
            return "too_many"
        return self._drawn(writes=method in WRITES)

    def _drawn(self, *, writes: bool) -> Kind | None:
        faults = self.faults
        chances: tuple[tuple[Kind, float], ...] = (
            ("bad_gateway", faults.bad_gateway_rate),
            ("too_many", faults.too_many_rate),
            ("unauthorized", faults.unauthorized_rate),
            ("error", faults.error_rate),
            ("deadlock", faults.deadlock_rate if writes else 0.0),
            ("cut", faults.cut_after_write_rate if writes else 0.0),
        )
        return next((kind for kind, chance in chances if self._hits(chance)), None)

    def _hits(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance

    def _over_rate(self, now: float) -> bool:
        rate = self.faults.requests_per_second
        if not rate:
            return False
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False
