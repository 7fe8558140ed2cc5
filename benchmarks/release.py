"""Part ``release``: the waiting orders of one customer, released in linear time and messages."""

import tempfile
import time
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console

from benchmarks.broker import Bench, c_programs, private_broker
from benchmarks.message import SOLD_TO, numbered
from benchmarks.report import Figure, Part
from benchmarks.route import load
from benchmarks.system import Settings, migrate, running, simulated
from orderbus.services import ECC_HOLDS, ECC_RELEASES, ROUTER
from router.policy import RoutingPolicy
from router.rules import hold
from schemas.messages import Body, HoldOrder, OrderPlaced, Registration, ReleaseOrders
from schemas.order import Order
from schemas.topics import TOPIC_OF
from tests.processes import wait_until
from tests.stack import get

SHARES = (0.125, 0.25, 0.5, 1.0)
LONGEST = 1800.0
METHOD = (
    "So many orders of one new customer are held; then each of them, as in real life, brings a command to release the "
    "customer's orders. The first command is handed all rows, page by page, the others none. Time is that of ecc-holds "
    "and of ecc-releases, each with four sessions, ECC's simulator without latency. Linear: the time per order does "
    "not grow with their number, and there is exactly one order.released for each order."
)


class Release(Struct, frozen=True):
    """One measurement."""

    rows: int
    hold_seconds: float
    release_seconds: float
    released: int
    """Messages order.released."""
    calls: int
    """Calls of Z_ORDERBUS_PENDING_GET."""


def held(order: Order) -> Body:
    """Return the command that holds the order."""
    return hold(RoutingPolicy(default_customer=SOLD_TO), OrderPlaced(order))


def once(rows: int) -> Release:
    """Hold and release so many orders."""
    with (
        c_programs() as programs,
        private_broker() as bench,
        tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
        simulated("ecc", Path(name)) as ecc,
    ):
        bench.fresh()
        config = Settings(bench.url, ecc=ecc).write(Path(name))
        migrate(config)
        command, body = Path(name) / "command.json", numbered(held)
        command.write_bytes(body)
        with running([ECC_HOLDS.name], config):
            began = time.perf_counter()
            load(bench, programs, TOPIC_OF[HoldOrder], rows, command)
            _until(bench, ECC_HOLDS.queue, rows)
            hold_seconds = time.perf_counter() - began
        bench.purge(ROUTER.queue)
        customer_key = msgspec.json.decode(body)["customer"]["key"]
        registration = Registration(sap_customer_number="0000100001", contact_person="0000000001")
        command.write_bytes(msgspec.json.encode(ReleaseOrders(customer_key, registration)))
        load(bench, programs, TOPIC_OF[ReleaseOrders], rows, command)
        wait_until(lambda: bench.depth(ECC_RELEASES.queue) == rows, "the commands are there")
        with running([ECC_RELEASES.name], config):
            began = time.perf_counter()
            _until(bench, ECC_RELEASES.queue, rows)
            release_seconds = time.perf_counter() - began
        calls = get(f"{ecc}/_simulator/counts")["calls"]["Z_ORDERBUS_PENDING_GET"]
        return Release(rows, hold_seconds, release_seconds, bench.depth(ROUTER.queue), calls)


def _until(bench: Bench, inbox: str, made: int) -> None:
    def over() -> bool:
        return bench.depth(ROUTER.queue) >= made and not bench.depth(inbox) and not bench.unacknowledged(inbox)

    wait_until(over, f"{inbox} is empty and {made} messages are made", seconds=LONGEST, every=0.05)


def run(rows: int, console: Console) -> Part:
    """Measure the part."""
    taken = []
    for share in SHARES:
        one = once(max(1, round(rows * share)))
        console.print(f"{one.rows} rows: released in {one.release_seconds:.1f} s, {one.released} messages")
        taken.append(one)
    columns = ("rows", "held, s", "released, s", "released, ms/row", "order.released", "calls of PENDING_GET")
    part = Part("release", METHOD, columns)
    for one in taken:
        each = one.release_seconds / one.rows * 1000
        part.rows.append(
            (
                f"{one.rows:,}",
                round(one.hold_seconds, 1),
                round(one.release_seconds, 1),
                round(each, 2),
                one.released,
                one.calls,
            )
        )
    first, last = taken[0], taken[-1]
    per_row = (last.release_seconds / last.rows) / (first.release_seconds / first.rows)
    part.figures = [
        Figure(f"time per row, {last.rows:,} against {first.rows:,}", per_row, "x", 1.5, 1.1, smaller_is_better=True),
        Figure(
            "order.released per row", max(one.released / one.rows for one in taken), "x", 1, 1, smaller_is_better=True
        ),
    ]
    return part
