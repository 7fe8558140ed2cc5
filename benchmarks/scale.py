"""Part ``scale``: what more replicas bring."""

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.broker import c_programs, private_broker
from benchmarks.contender import Contender
from benchmarks.message import SOLD_TO, numbered
from benchmarks.report import Comparison, Part, race
from benchmarks.rounds import Race, Samples
from benchmarks.route import OURS, ROUTER_COMMAND, load, routing
from benchmarks.system import Settings, migrate, orderbus, simulated
from orderbus.services import ECC_CLEAR_FLAGS, ECC_ORDERS, MAGENTO_ORDER_NUMBERS
from schemas.messages import AddSalesOrder
from schemas.topics import TOPIC_OF
from tests.processes import wait_until

SESSION = 0.2
"""Seconds that an order keeps a session busy."""
CALLS = 3
"""RFC calls of an order: open, create, commit."""
REPLICAS = (1, 2, 4)
ORDERS_PER_SECOND = 1 / SESSION

METHOD = (
    f"Sales orders: replicas of ecc-orders with one RFC session each, whose three calls take {SESSION * 1000:g} ms for "
    "each order; ECC has dialog processes to spare. A queue filled beforehand is emptied into order.synced. Routing: "
    "part route with one and with two processes of the router; they share two cores with the broker, which limits."
)
COMPARISONS = (
    Comparison("ecc-orders, 2 replicas against 1", "ecc-orders, 2 replicas", "ecc-orders, 1 replica"),
    Comparison("ecc-orders, 4 replicas against 1", "ecc-orders, 4 replicas", "ecc-orders, 1 replica", 3.6, 3.9),
    Comparison("router, 2 replicas against 1", f"{OURS}, 2 replicas", f"{OURS}, 1 replica"),
)


def ecc_orders(rounds: int, seconds: float, console: Console) -> Samples:
    """Measure replicas of ecc-orders."""
    command = orderbus("run", ECC_ORDERS.name, "--config", "{config}", "--http-port", "0")
    most = max(REPLICAS)
    contenders = [
        Contender(f"ecc-orders, {count} replica{'s' * (count > 1)}", command, count / most, copies=count)
        for count in REPLICAS
    ]
    speed = ("--latency", str(SESSION / CALLS), "--workers", str(2 * most))
    with (
        c_programs() as programs,
        private_broker() as bench,
        tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
        simulated("ecc", Path(name), *speed) as ecc,
    ):
        config = Settings(bench.url, ecc=ecc, ecc_more={"sessions": 1}).write(Path(name))
        migrate(config)
        body, turn = Path(name) / "command.json", 0

        def prepare(total: int) -> None:
            nonlocal turn
            turn += 1  # a store of its own for each turn, since ECC knows the orders of the one before
            body.write_bytes(numbered(lambda order: AddSalesOrder(order, SOLD_TO), store=f"turn{turn}"))
            bench.fresh(ECC_ORDERS.queue, ECC_CLEAR_FLAGS.queue, MAGENTO_ORDER_NUMBERS.queue)
            load(bench, programs, TOPIC_OF[AddSalesOrder], total, body)
            wait_until(lambda: bench.depth(ECC_ORDERS.queue) == total, "the queue is filled")

        race_of = Race(bench, ECC_CLEAR_FLAGS.queue, {"config": str(config)}, prepare)
        return race_of.run(contenders, rounds, round(most * ORDERS_PER_SECOND * seconds), console)


def routers(rounds: int, messages: int, console: Console) -> Samples:
    """Measure replicas of the router."""
    contenders = [
        Contender(f"{OURS}, {count} replica{'s' * (count > 1)}", ROUTER_COMMAND, copies=count) for count in (1, 2)
    ]
    with routing() as race_of:
        return race_of.run(contenders, rounds, messages, console)


def run(rounds: int, seconds: float, messages: int, console: Console) -> Part:
    """Measure the part.

    Parameters
    ----------
    seconds:
        How long each number of ecc-orders' replicas is watched.
    messages:
        How many the routers route.
    """
    samples = ecc_orders(rounds, seconds, console) | routers(rounds, messages, console)
    return race("scale", METHOD, samples, COMPARISONS)
