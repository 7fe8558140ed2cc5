"""Part ``latency``: what one order meets when nothing else is going on, on the bus alone and from shop to shop."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from benchmarks.broker import private_broker
from benchmarks.probe import Probe
from benchmarks.relay import Exchange, Relay
from benchmarks.report import Figure, Part
from benchmarks.shop import Mix, open_registered, place
from benchmarks.system import Settings, each_running, migrate, running, simulated
from benchmarks.timing import covered, percentile
from benchmarks.watch import Watch
from orderbus.services import ECC_ORDERS, ROUTER, TABLE
from schemas.messages import OrderAcknowledged, OrderPlaced
from tests.postgres import PostgresCluster
from tests.processes import wait_until

METHOD = (
    "An order at a time, the next one when the one before has come to its end. To the command: published by a client, "
    "routed by the router, taken by the client; two hops through quorum queues, publishing and routing included. To "
    "acknowledged: every service a process of its own, on PostgreSQL with fsync on, both simulators without latency; "
    "from the order's being in the shop to order.acknowledged on the broker, less the wait for the poller's next look, "
    "and less every moment at which the shop or ECC had a request of the order's in hand, seen by a relay in front of "
    "each of them. The quiet period is zero."
)
PAUSE = 0.02
WARM_UP = 50
POLL_INTERVAL = 0.2
PAGES = b"GET /rest/V1/orders?"
"""A look of the poller's."""
BESIDE_THE_WAY = b"Z_ORDERBUS_PENDING_CLEAR"
"""The flag is set while the number is written to the shop: time that it takes is not time the order waits for."""


def routed(messages: int) -> list[float]:
    """Return the seconds from ``order.placed`` to the command, of each message."""
    with private_broker() as bench, tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name:
        bench.fresh()
        config = Settings(bench.url).write(Path(name))
        with running([ROUTER.name], config), Probe(bench.config, ECC_ORDERS.queue) as probe:
            taken = []
            for number in range(1, messages + WARM_UP + 1):
                taken.append(probe.round_trip(number))
                time.sleep(PAUSE)
            return taken[WARM_UP:]


class Journey(Struct, frozen=True):
    """One order's way from the shop and back, in seconds."""

    whole: float
    """From the order's being in the shop to its acknowledgement."""
    polling: float
    """Of this, until the look began that found it."""
    systems: float
    """Of this, while the shop or ECC had a request of the order's in hand."""

    @property
    def added(self) -> float:
        """What is left: the bus's own time."""
        return self.whole - self.polling - self.systems


class World(Struct, frozen=True):
    """The running system."""

    shop: str
    watch: Watch
    relays: tuple[Relay, Relay]

    def send(self, seed: int) -> Journey:
        """Place an order and follow it to its acknowledgement."""
        (order,) = place(self.shop, 1, Mix(), seed)
        begun = time.perf_counter()
        wait_until(lambda: order in self.watch.seen[OrderAcknowledged], "the order is acknowledged", every=0.005)
        placed, ended = (self.watch.seen[body][order] for body in (OrderPlaced, OrderAcknowledged))
        exchanges = [one for relay in self.relays for one in list(relay.exchanges)]
        found = max((one for one in exchanges if one.head.startswith(PAGES) and one.ended < placed), key=_begun)
        looked = max(found.begun, begun)
        systems = covered(spans(exchanges, found), looked, ended)
        for relay in self.relays:
            relay.exchanges.clear()
        return Journey(ended - begun, looked - begun, systems)


def _begun(exchange: Exchange) -> float:
    return exchange.begun


def spans(exchanges: Sequence[Exchange], found: Exchange) -> list[tuple[float, float]]:
    """Return when a system had a request of the order's in hand: the look that found it, and what is no look."""
    return [
        (one.begun, one.ended or one.begun)
        for one in exchanges
        if one is found or not (one.head.startswith(PAGES) or BESIDE_THE_WAY in one.head)
    ]


@contextmanager
def world() -> Iterator[World]:
    """Start everything, with a relay in front of each simulator."""
    cluster = PostgresCluster(fsync="on")
    try:
        cluster.start()
        with (
            private_broker() as bench,
            tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
            simulated("ecc", Path(name)) as ecc,
            simulated("magento", Path(name), "--registered", "0", "--prospects", "0") as shop,
            Relay(ecc) as to_ecc,
            Relay(shop) as to_shop,
        ):
            bench.fresh()
            config = Settings(
                bench.url,
                cluster.new_database(),
                to_shop.url,
                to_ecc.url,
                magento_more={"quiet_period": 0, "poll_interval": POLL_INTERVAL},
            ).write(Path(name))
            migrate(config)
            open_registered(shop)
            with (
                each_running([row.name for row in TABLE], config),
                Watch(bench.config, OrderPlaced, OrderAcknowledged) as watch,
            ):
                yield World(shop, watch, (to_ecc, to_shop))
    finally:
        cluster.close()


def acknowledged(orders: int) -> list[Journey]:
    """Return the way of each order."""
    with world() as here:
        return [here.send(seed) for seed in range(1, orders + WARM_UP // 5 + 1)][WARM_UP // 5 :]


def run(messages: int, orders: int, console: Console) -> Part:
    """Measure the part."""
    commands = routed(messages)
    journeys = acknowledged(orders)
    added = [one.added for one in journeys]
    times = {
        "order.placed to command": commands,
        "shop to acknowledged, added by the bus": added,
        "  the whole of it": [one.whole for one in journeys],
        "  waiting for the next look": [one.polling for one in journeys],
        "  in the hands of shop and ECC": [one.systems for one in journeys],
    }
    part = Part("latency", METHOD, ("idle", "p50, ms", "p99, ms", "messages"))
    for name, taken in times.items():
        p50, p99 = (percentile(taken, share) * 1000 for share in (0.5, 0.99))
        console.print(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        part.rows.append((name, round(p50, 2), round(p99, 2), len(taken)))
    p99 = percentile(added, 0.99) * 1000
    part.figures = [
        Figure("order.placed to command, p99", percentile(commands, 0.99) * 1000, "ms", smaller_is_better=True),
        Figure("shop to acknowledged, added, p99", p99, "ms", 50, 20, smaller_is_better=True),
    ]
    return part
