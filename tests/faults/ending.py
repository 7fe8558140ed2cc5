"""The end of a run: everything quietens, and what the systems then hold is checked."""

import json
import time
from collections.abc import Callable

from schemas.topics import EVENTS
from tests.faults import state
from tests.faults.bench import Bench
from tests.faults.invariants import Expected, Violation, violations
from tests.faults.wire import channel

AUDIT = "faults.audit"
"""Queue of the tests' own that takes what the bus tells of write-backs."""
QUIET = 3.0
"""Seconds for `settle`: what is between two queues shows in none."""
STILL = 60.0
"""Seconds after which orders that do not move, with nothing on its way, count as stuck: longer than any lease of a dead
process."""


def listen(bench: Bench) -> None:
    """Begin to keep what the bus tells of write-backs."""
    with channel(bench.url()) as declaring:
        declaring.queue_declare(AUDIT, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        declaring.queue_bind(AUDIT, EVENTS, "order.acknowledged")


def reported(bench: Bench) -> frozenset[int]:
    """Return the orders (``entity_id``) of which the bus has told that a write-back lost another change."""
    with channel(bench.url()) as reading:
        while (message := reading.basic_get(AUDIT, no_ack=True)) is not None:
            told = json.loads(message.body)
            if told.get("lost_update"):
                bench.reported.add(int(told["ref"]["order_id"]))
    return frozenset(bench.reported)


def settle(
    bench: Bench, *, seconds: float, still: float = STILL, quiet: float = QUIET, look: Callable[[], None] | None = None
) -> object:
    """Return once nothing is on its way and nothing moves; whatever does not get there is for the invariants.

    Parameters
    ----------
    seconds:
        How long to wait at most.
    still:
        Seconds without a change after which unfinished orders with empty queues are given up.
    quiet:
        Seconds without a change after which a system that has nothing on its way counts as quiet.
    look:
        Called again and again meanwhile.

    Returns
    -------
    object
        What is not finished: messages by queue, or lines about orders; something false if there is nothing.
    """
    changed_at = time.monotonic()
    limit = changed_at + seconds
    before: object = None
    while time.monotonic() < limit:
        bench.supervise()
        if look is not None:
            look()
        busy = {name: total for name, total in bench.queue_totals().items() if total and _passes(name)}
        now: object = busy or _unfinished(bench)
        if now != before:
            before, changed_at = now, time.monotonic()
        if not busy and time.monotonic() - changed_at > (still if now else quiet):
            break
        time.sleep(0.5)
    return before


def check(bench: Bench) -> tuple[int, list[Violation]]:
    """Return how many orders the shop holds, and every invariant that does not hold."""
    final = state.read(bench, reported(bench))
    expected = Expected(unfit=frozenset(bench.unfit), letters=bench.expected_letters)
    return len(final.orders), violations(final, expected)


def _unfinished(bench: Bench) -> list[str]:
    """Return what is still to be done by itself, a line for each order of which there is no dead letter."""
    lines = bench.stack.unfinished()
    if not lines:
        return lines
    dead = {letter.order.rpartition("-")[2] for letter in state.letters(bench)}
    return [line for line in lines if line.partition(":")[0] not in dead]


def _passes(queue: str) -> bool:
    return queue.startswith("orderbus.") and not queue.endswith(".dead")
