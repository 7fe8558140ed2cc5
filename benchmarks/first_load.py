"""Part ``first-load``: a shop's historic orders, read and published for the first time."""

import math
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.broker import private_broker
from benchmarks.memory import followed, growth, tabled
from benchmarks.report import Figure, Part
from benchmarks.shop import Mix, open_registered, place
from benchmarks.system import Settings, migrate, running, simulated
from orderbus.services import MAGENTO_ORDERS, ROUTER
from tests.postgres import PostgresCluster

CHUNK = 5_000
"""Orders that are put into the shop at once."""
SETTLED = 0.1
"""Share of the orders after which the process should not grow any more."""
DAYS = 365.0
MIX = Mix(guest_share=0.3, guests=1000)
METHOD = (
    "The orders are in the simulated shop beforehand, spread over a year; three in ten are guests'. magento-orders "
    "alone, on PostgreSQL, reads them by watermark and publishes each as order.placed, confirmed; what it publishes is "
    "counted and dropped as it comes. The simulator, a Python process too, has no latency: it takes most of the time. "
    f"Memory is VmRSS; growth is the largest value behind the first {SETTLED:.0%} less the value at that point."
)


def run(orders: int, page_size: int, console: Console) -> Part:
    """Measure the part."""
    part = Part("first-load", METHOD)
    cluster = PostgresCluster(fsync="on")
    try:
        cluster.start()
        with (
            private_broker() as bench,
            tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name,
            simulated("magento", Path(name), "--registered", "0", "--prospects", "0") as shop,
        ):
            bench.fresh()
            open_registered(shop)
            for start in range(0, orders, CHUNK):
                place(shop, min(CHUNK, orders - start), MIX, seed=start + 1, days=DAYS)
            console.print(f"{orders:,} orders are in the shop")
            more = {"page_size": page_size}
            config = Settings(bench.url, cluster.new_database(), shop, magento_more=more).write(Path(name))
            migrate(config)
            done = 0

            def counted() -> int:
                nonlocal done
                done += bench.purge(ROUTER.queue)
                return done

            with running([MAGENTO_ORDERS.name], config) as poller:
                steps = followed(poller.pid, counted, orders, longest=120)
                requests = poller.metric("orderbus_magento_requests_total")
    finally:
        cluster.close()
    tabled(part, steps, "orders")
    pages = math.ceil(orders / page_size)
    part.figures += [
        Figure(f"requests to the shop per page of {page_size}", requests / pages, "", smaller_is_better=True),
        Figure("magento-orders' growth", growth(steps, round(orders * SETTLED)), "MB", 10, 2, smaller_is_better=True),
    ]
    return part
