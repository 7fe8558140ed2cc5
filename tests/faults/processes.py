"""Faults of processes: killed, frozen, and dead at each instant of their work that matters."""

import random
from collections.abc import Sequence

from orderbus.services import ROW_NAMED
from tests.faults.bench import CONSUMERS, Bench
from tests.faults.crashing import POINTS
from tests.faults.plan import Entry, Healing, Injector

POLLERS = ("magento-orders", "ecc-registrations")


def _some(bench: Bench, draws: random.Random) -> Sequence[str]:
    return draws.sample(bench.services, draws.randint(2, 5))


def kill_one(bench: Bench, draws: random.Random) -> None:
    """Kill a service."""
    bench.kill(draws.choice(bench.services), draws.uniform(0.0, 3.0))


def kill_several(bench: Bench, draws: random.Random) -> None:
    """Kill several services at once."""
    for service in _some(bench, draws):
        bench.kill(service, draws.uniform(0.0, 3.0))


def kill_all(bench: Bench, draws: random.Random) -> None:
    """Kill every service."""
    for service in bench.services:
        bench.kill(service, draws.uniform(0.0, 3.0))


def _frozen(bench: Bench, services: Sequence[str], seconds: float) -> Healing:
    for service in services:
        bench.freeze(service)

    def thaw() -> None:
        for service in services:
            bench.thaw(service)

    return Healing(seconds, thaw)


def freeze_one(bench: Bench, draws: random.Random) -> Healing:
    """Stop a service for longer than the broker waits for its heartbeats, or for less."""
    return _frozen(bench, [draws.choice(bench.services)], draws.choice((0.5, 3.0, 16.0)))


def freeze_several(bench: Bench, draws: random.Random) -> Healing:
    """Stop several services."""
    return _frozen(bench, _some(bench, draws), draws.choice((0.5, 3.0, 16.0)))


def freeze_all(bench: Bench, draws: random.Random) -> Healing:
    """Stop every service."""
    return _frozen(bench, bench.services, draws.uniform(0.5, 4.0))


def crash(point: str) -> Injector:
    """Return the fault that replaces a service by one that dies at a point of its work."""

    def inject(bench: Bench, draws: random.Random) -> None:
        able: Sequence[str] = (*CONSUMERS, *POLLERS)
        if point == "publish-confirm":
            able = [name for name in able if ROW_NAMED[name].publishes]
        bench.crash(draws.choice(able), point, draws.randint(1, 4))

    return inject


CATALOGUE = (
    Entry("SIGKILL of one", kill_one, weight=3),
    Entry("SIGKILL of several", kill_several, weight=2),
    Entry("SIGKILL of all", kill_all),
    Entry("SIGSTOP of one", freeze_one, weight=2),
    Entry("SIGSTOP of several", freeze_several),
    Entry("SIGSTOP of all", freeze_all),
    *(Entry(f"crash at {point}", crash(point), weight=4) for point in POINTS),
)
