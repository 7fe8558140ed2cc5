"""The plan of a run: which fault, when and with which draws, decided by a seed alone."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from tests.faults.bench import Bench


class Healing(Struct, frozen=True):
    """How a fault that lasts ends."""

    seconds: float
    """How long it lasts."""
    heal: Callable[[], None]


Injector: TypeAlias = "Callable[[Bench, random.Random], Healing | None]"
"""Brings a fault about; ``None`` where nothing is to be healed."""


class Entry(Struct, frozen=True):
    """A fault that may be drawn."""

    name: str
    inject: Injector
    weight: int = 1
    """How often it is drawn, compared with the others of its kind."""
    alone: str = ""
    """Faults with the same word here never overlap."""
    nodes: int = 1
    """Broker nodes that it needs."""


class Fault(Struct, frozen=True):
    """A fault of a plan."""

    number: int
    kind: str
    name: str
    after: int
    """How many orders are placed before it."""
    seed: int
    """Of what it draws itself: whom it hits and for how long."""


def plan(
    seed: int, orders: int, faults: int, catalogue: Mapping[str, Sequence[Entry]], *, nodes: int = 1
) -> list[Fault]:
    """Return the faults of a run, spread over its orders; the same arguments give the same plan.

    The kinds take turns in an order that is drawn, and so do the faults of each kind, so that a plan that is long
    enough holds every one.
    """
    draws = random.Random(seed)
    possible = {kind: [entry for entry in entries if entry.nodes <= nodes] for kind, entries in catalogue.items()}
    bags: dict[str, list[Entry]] = {kind: [] for kind in possible}
    kinds: list[str] = []
    planned = []
    for number in range(faults):
        if not kinds:
            kinds = list(possible)
            draws.shuffle(kinds)
        kind = kinds.pop()
        if not bags[kind]:
            bags[kind] = [entry for entry in possible[kind] for _ in range(entry.weight)]
            draws.shuffle(bags[kind])
        entry = bags[kind].pop()
        after = orders * (number + 1) // (faults + 1)
        planned.append(Fault(number, kind, entry.name, after, draws.getrandbits(32)))
    return planned
