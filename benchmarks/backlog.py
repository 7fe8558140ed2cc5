"""Part ``backlog``: very many OrderPlaced through the router, and its memory over time."""

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.broker import c_programs, private_broker
from benchmarks.memory import followed, growth, tabled
from benchmarks.message import template
from benchmarks.report import Figure, Part
from benchmarks.route import INBOX, OUTBOX, PLACED, load
from benchmarks.system import Settings, running
from orderbus.services import ROUTER
from tests.processes import wait_until

SETTLED = 10_000
METHOD = (
    "The messages are in the router's queue before it starts. What it publishes is counted and dropped as it comes, so "
    "that the disk does not fill up. Memory is VmRSS; growth is the largest value behind the first "
    f"{SETTLED:,} messages less the value at that point. Filling such a queue takes the broker about 3 GB of disk for "
    "a million messages."
)


def run(messages: int, console: Console) -> Part:
    """Measure the part."""
    part = Part("backlog", METHOD)
    with (
        c_programs() as programs,
        private_broker() as bench,
        tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
    ):
        body = Path(name) / "order.json"
        body.write_bytes(template())
        bench.fresh()
        load(bench, programs, PLACED, messages, body)
        wait_until(lambda: bench.depth(INBOX) == messages, "the queue is filled", seconds=300)
        console.print(f"{messages:,} messages are in the queue")
        done = 0

        def counted() -> int:
            nonlocal done
            done += bench.purge(OUTBOX)
            return done

        with running([ROUTER.name], Settings(bench.url).write(Path(name))) as router:
            steps = followed(router.pid, counted, messages, longest=120)
            wait_until(lambda: bench.unacknowledged(INBOX) == 0, "all is acknowledged")
    tabled(part, steps, "messages")
    grown = growth(steps, SETTLED)
    part.figures.append(
        Figure(f"router's growth after {SETTLED:,}", grown, "MB", 10, 2, smaller_is_better=True),
    )
    return part
