"""Part ``flow``: orders from the shop to acknowledged, against what the two systems by themselves allow."""

import signal
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from benchmarks.broker import private_broker
from benchmarks.meter import Work, work
from benchmarks.report import Figure, Part
from benchmarks.shop import Mix, open_prospects, open_registered, place, unnumbered
from benchmarks.system import Service, Settings, each_running, migrate, simulated
from benchmarks.timing import percentile
from benchmarks.watch import Watch
from orderbus.services import MAGENTO_ORDERS, TABLE
from schemas.messages import OrderAcknowledged, OrderCleared
from tests.postgres import PostgresCluster
from tests.processes import wait_until
from tests.stack import get

ECC_LATENCY = 0.08
"""Seconds of each RFC call: an order's three calls keep a dialog process busy for a quarter of a second."""
DIALOG_PROCESSES = 8
SHOP_LATENCY = 0.1
"""Seconds of each REST request."""
SHOP_WORKERS = 16
STEADY_SHARE = 0.8
"""The steady rate, as a share of what ECC can take."""
CALLS_PER_ORDER = 4
"""RFC calls that a registered customer's order needs: open, create, commit, and the flag."""
IDLE_CALLS = frozenset({"Z_ORDERBUS_CUSTOMERS_CHANGED", "RFC_PING"})
"""Made whether there are orders or not, so that they do not count as the orders' service time."""
GUEST_HEAVY_ORDERS = 20
"""Of the burst's orders, so many for each new customer of the guest-heavy one."""
STALLED = 900.0

METHOD = (
    f"Every service, both simulators, RabbitMQ and PostgreSQL (fsync on) are processes of their own on one machine. "
    f"Each RFC call takes {ECC_LATENCY * 1000:g} ms on one of {DIALOG_PROCESSES} dialog processes, each request to the "
    f"shop {SHOP_LATENCY * 1000:g} ms on one of {SHOP_WORKERS} workers: so slow that processors stay idle, see the "
    "table. The quiet period before a write-back is zero. The minimum is the larger of two quotients: RFC calls times "
    "their time by dialog processes, and requests times their time by workers; calls and requests are counted, and "
    "shown per order. The clock runs from the moment at which the orders are in the shop (steady: from the first) "
    "until each is acknowledged and its flag is set."
)


class Spent(Struct, frozen=True):
    """What the system has spent by some moment."""

    calls: int
    """RFC calls that orders have made."""
    requests: int
    """Requests that the services have made to the shop."""
    work: Work


class World(Struct, frozen=True):
    """The running system."""

    shop: str
    ecc: str
    services: dict[str, Service]
    watch: Watch

    def spent(self) -> "Spent":
        """Return what has been spent so far."""
        calls = get(f"{self.ecc}/_simulator/counts")["calls"]
        shops = [one for name, one in self.services.items() if name.startswith("magento-")]
        return Spent(
            calls=sum(count for function, count in calls.items() if function not in IDLE_CALLS),
            requests=round(sum(one.metric("orderbus_magento_requests_total") for one in shops)),
            work=work(),
        )

    def finished(self, orders: Sequence[str]) -> bool:
        """Tell whether these orders have come to the end of their way."""
        return self.watch.all_of(OrderAcknowledged, orders) and self.watch.all_of(OrderCleared, orders)

    def ended_at(self, orders: Sequence[str]) -> float:
        """Return the moment at which the last of these orders came to the end of its way."""
        return max(self.watch.seen[body][order] for body in self.watch.seen for order in orders)


class Outcome(Struct, frozen=True):
    """One scenario's result."""

    orders: int
    seconds: float
    minimum: float
    calls: int
    requests: int
    busy: tuple[float, float]
    """Share of the processors' time that the benchmark used, and that everything on the machine did."""
    p50: float | None = None
    p99: float | None = None


@contextmanager
def world() -> Iterator[World]:
    """Start everything, with the registered customers' accounts in the shop."""
    cluster = PostgresCluster(fsync="on")
    ecc_options = ("--latency", str(ECC_LATENCY), "--workers", str(DIALOG_PROCESSES))
    shop_options = ("--latency", str(SHOP_LATENCY), "--workers", str(SHOP_WORKERS))
    empty = ("--registered", "0", "--prospects", "0")
    try:
        cluster.start()
        with (
            private_broker() as bench,
            tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
            simulated("ecc", Path(name), *ecc_options) as ecc,
            simulated("magento", Path(name), *shop_options, *empty) as shop,
        ):
            bench.fresh()
            config = Settings(
                bench.url,
                cluster.new_database(),
                shop,
                ecc,
                magento_more={"quiet_period": 0, "poll_interval": 0.2, "max_concurrent_requests": SHOP_WORKERS},
                ecc_more={"sessions": DIALOG_PROCESSES},
            ).write(Path(name))
            migrate(config)
            open_registered(shop)
            names = [row.name for row in TABLE]
            with each_running(names, config) as services, Watch(bench.config, OrderAcknowledged, OrderCleared) as watch:
                yield World(shop, ecc, services, watch)
    finally:
        cluster.close()


def burst(here: World, count: int, mix: Mix, seed: int) -> Outcome:
    """Let many orders be there at once: the poller is held while they are placed."""
    poller = here.services[MAGENTO_ORDERS.name].server
    before = here.spent()
    poller.send(signal.SIGSTOP)
    try:
        orders = place(here.shop, count, mix, seed)
    finally:
        poller.send(signal.SIGCONT)
    begun = time.perf_counter()
    wait_until(lambda: here.finished(orders), "all orders are acknowledged", seconds=STALLED, every=0.02)
    return _outcome(here, orders, begun, before)


def steady(here: World, count: int, per_second: float) -> Outcome:
    """Place orders at a steady rate, and time each from the shop to acknowledged."""
    before, begun = here.spent(), time.perf_counter()
    placed: dict[str, float] = {}
    for number in range(count):
        time.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        (order,) = place(here.shop, 1, Mix(), seed=1000 + number)
        placed[order] = time.perf_counter()
    orders = list(placed)
    wait_until(lambda: here.finished(orders), "all orders are acknowledged", seconds=STALLED, every=0.02)
    taken = [here.watch.seen[OrderAcknowledged][order] - at for order, at in placed.items()]
    outcome = _outcome(here, orders, begun, before)
    return Outcome(
        outcome.orders,
        outcome.seconds,
        max(outcome.minimum, count / per_second),
        outcome.calls,
        outcome.requests,
        outcome.busy,
        statistics.median(taken),
        percentile(taken, 0.99),
    )


def _outcome(here: World, orders: Sequence[str], begun: float, before: Spent) -> Outcome:
    after = here.spent()
    calls, requests = after.calls - before.calls, after.requests - before.requests
    minimum = max(calls * ECC_LATENCY / DIALOG_PROCESSES, requests * SHOP_LATENCY / SHOP_WORKERS)
    shares = after.work.shares_since(before.work)
    return Outcome(len(orders), here.ended_at(orders) - begun, minimum, calls, requests, shares)


def check(here: World) -> None:
    """Check in the two systems that every order arrived, and arrived once.

    Raises
    ------
    RuntimeError
        One did not.
    """
    counts, missing = get(f"{here.ecc}/_simulator/counts"), unnumbered(here.shop)
    if missing or counts["duplicates"] or counts["uncleared"]:
        raise RuntimeError(f"{missing} orders have no number; ECC counts {counts}.")


def run(orders: int, steady_orders: int, console: Console) -> Part:
    """Measure the part.

    Parameters
    ----------
    orders:
        How many in the burst, and half as many in the guest-heavy one.
    steady_orders:
        How many at the steady rate.
    """
    per_second = STEADY_SHARE * DIALOG_PROCESSES / (ECC_LATENCY * CALLS_PER_ORDER)
    new_customers = max(2, orders // GUEST_HEAVY_ORDERS)
    outcomes: dict[str, Outcome] = {}
    with world() as here:

        def note(name: str, outcome: Outcome) -> None:
            outcomes[name] = outcome
            console.print(f"{name}: {outcome.seconds:.1f} s, the least possible are {outcome.minimum:.1f} s")

        note(f"steady, {per_second:g} a second", steady(here, steady_orders, per_second))
        note("burst", burst(here, orders, Mix(), seed=1))
        open_prospects(here.shop, new_customers // 2)
        mix = Mix(guest_share=0.5, guests=new_customers // 2)
        note(f"guest-heavy burst, {new_customers} new customers", burst(here, orders // 2, mix, seed=2))
        check(here)
    return _part(outcomes)


def _part(outcomes: dict[str, Outcome]) -> Part:
    columns = (
        "", "orders", "seconds", "least possible", "RFC calls/order", "requests/order", "processors busy: ours, in all",
        "shop to acknowledged, p50 s", "p99 s",
    )  # fmt: skip
    part = Part("flow", METHOD, columns)
    for name, one in outcomes.items():
        part.rows.append(
            (
                name,
                one.orders,
                round(one.seconds, 2),
                round(one.minimum, 2),
                round(one.calls / one.orders, 2),
                round(one.requests / one.orders, 2),
                "{:.0%}, {:.0%}".format(*one.busy),
                "" if one.p50 is None else round(one.p50, 2),
                "" if one.p99 is None else round(one.p99, 2),
            )
        )
        part.figures.append(Figure(f"{name}, against the least possible", one.minimum / one.seconds, "x", 0.9, 0.98))
    return part
