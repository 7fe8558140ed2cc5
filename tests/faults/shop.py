"""Faults of Magento, as its simulator brings them about, and what people do in the shop at the wrong moment."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.faults.bench import NO_SHOP_FAULTS, Bench
from tests.faults.plan import Entry, Healing, Injector

PEOPLE = "people"
"""What people do to orders: one thing at a time, so that whoever loses a change was the bus."""
RECENT = 12
"""Orders among which a person works: the last ones."""


def lasting(seconds: tuple[float, float], **faults: Any) -> Injector:
    """Return a fault of the shop that lasts for a while."""

    def inject(bench: Bench, draws: random.Random) -> Healing:
        bench.shop_faults({**faults, "seed": draws.getrandbits(30)})
        return Healing(
            draws.uniform(*seconds), lambda: bench.shop_faults({name: NO_SHOP_FAULTS[name] for name in faults})
        )

    return inject


def planned(kind: str, *paths: str, times: int = 3) -> Injector:
    """Return the fault that hits the next calls of some path."""

    def inject(bench: Bench, draws: random.Random) -> None:
        bench.shop_faults({"planned": [{"kind": kind, "times": draws.randint(1, times), "path": draws.choice(paths)}]})

    return inject


def changed_while_read(bench: Bench, draws: random.Random) -> Healing:
    """Move orders to the end of the publisher's list while it turns slow pages."""
    bench.shop_faults({"slow_page_rate": 0.7, "slow_page_seconds": 1.0, "seed": draws.getrandbits(30)})

    def touch(order: int) -> None:
        bench.shop_call("POST", "orders", {"entity": {"entity_id": order, "customer_note": "Please ring twice."}})

    working = _people(bench, draws, touch, seconds=3.0)

    def heal() -> None:
        working.join()
        bench.shop_faults({"slow_page_rate": 0.0})

    return Healing(3.0, heal)


def invoiced(bench: Bench, draws: random.Random) -> Healing:
    """Invoice orders while their numbers are written back, in a shop whose saves take long enough to race."""
    bench.shop_faults({"latency": 0.15})
    before = time.monotonic()

    def invoice(order: int) -> None:
        if bench.shop_call("POST", f"order/{order}/invoice", {"capture": True}) is not None:
            bench.invoiced.add(order)

    working = _people(bench, draws, invoice, seconds=3.0)

    def heal() -> None:
        working.join()
        bench.shop_faults({"latency": 0.0})

    return Healing(max(0.0, 3.0 - (time.monotonic() - before)), heal)


def cancelled(bench: Bench, draws: random.Random) -> None:
    """Cancel an order or two, waiting or not."""
    for order in _recent(bench, draws, draws.randint(1, 2)):
        bench.shop_call("POST", f"orders/{order}/cancel")


def _recent(bench: Bench, draws: random.Random, count: int) -> Sequence[int]:
    recent = bench.placed()[-RECENT:]
    return draws.sample(recent, min(count, len(recent)))


def _people(bench: Bench, draws: random.Random, work: Callable[[int], None], seconds: float) -> threading.Thread:
    """Let people work on recent orders for a while, in a thread."""
    until = time.monotonic() + seconds

    def go_on() -> None:
        while time.monotonic() < until:
            for order in _recent(bench, draws, 3):
                work(order)
            time.sleep(0.05)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    return thread


CATALOGUE = (
    Entry("401, token expired", planned("unauthorized", "/V1/orders", "/V1/customers")),
    Entry("429 with Retry-After", lasting((1.0, 4.0), too_many_rate=0.4, retry_after=1)),
    Entry("429 without", lasting((1.0, 4.0), too_many_rate=0.4)),
    Entry("500 deadlock", lasting((1.0, 4.0), deadlock_rate=0.3)),
    Entry("500 database down", lasting((1.0, 3.0), db_down=True)),
    Entry("502", lasting((1.0, 4.0), bad_gateway_rate=0.4)),
    Entry("503 maintenance", lasting((1.0, 6.0), maintenance=True)),
    Entry("cut after a write took effect", planned("cut", "/V1/orders", "/V1/customers"), weight=2),
    Entry("cut after writes", lasting((1.0, 4.0), cut_after_write_rate=0.4), weight=2),
    Entry("slow pages", lasting((2.0, 5.0), slow_page_rate=0.5, slow_page_seconds=2.0)),
    Entry("orders change while pages are read", changed_while_read, weight=2, alone=PEOPLE),
    Entry("write-back races with an invoice", invoiced, weight=2, alone=PEOPLE),
    Entry("orders cancelled", cancelled, weight=2, alone=PEOPLE),
)
