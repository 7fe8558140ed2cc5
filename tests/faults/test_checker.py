"""The suite can fail: each build that is broken on purpose is caught, by the invariant that it breaks."""

import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.config import BrokerConfig
from bus.topology import apply
from orderbus.services import TABLE
from tests.faults import breaks, ending
from tests.faults.bench import RETRY_DELAYS, Bench
from tests.faults.breaks import Edit
from tests.faults.feeding import UNFIT
from tests.faults.sap import COMMIT
from tests.faults.wire import channel, put
from tests.flow.buying import Buyer, buy, guest, prospect, registered
from tests.processes import wait_until
from tests.rabbitmq import RabbitNode

APART = ("ecc-orders", "magento-orders", "magento-order-numbers")
"""Services that a scenario kills or freezes; the others share a process."""
Scenario = Callable[[Bench], None]


def unroutable(bench: Bench) -> None:
    """Have the router publish while the queue of what it publishes is missing; then the queue comes back."""
    bench.kill("ecc-orders", 3600)
    with channel(bench.url()) as deleting:
        deleting.queue_delete("orderbus.ecc-orders")
    buy(bench.stack.shop_url, [registered(1), registered(2)])
    wait_until(lambda: _published(bench) == 2, "the publisher has published them")
    wait_until(lambda: bench.queue_totals()["orderbus.router"] == 0, "the router has had them")
    apply(BrokerConfig(url=bench.url(), retry_delays=RETRY_DELAYS), TABLE)
    bench.kill("ecc-orders", 0)


def _published(bench: Bench) -> int:
    port = bench.stack.http_ports["magento-orders"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        metrics = response.read().decode()
    counts = re.findall(r"^orderbus_\w*published_total\{[^}]*order\.placed[^}]*\} (\d+)", metrics, re.MULTILINE)
    return sum(map(int, counts))


def dies_after_create(bench: Bench) -> None:
    """Let the service die when ECC has the sales order and nobody knows."""
    bench.crash("ecc-orders", "effect-publish", 1)
    buy(bench.stack.shop_url, [registered(1), registered(2)])
    wait_until(lambda: _died(bench), "the service dies")


def _died(bench: Bench) -> bool:
    bench.supervise()
    return bench.crashes > 0


def update_outlives_its_session(bench: Bench) -> None:
    """Lose a commit's answer, and keep its update at work when the retry looks."""
    lost = {"kind": "connection_lost", "when": "during", "function": COMMIT}
    bench.ecc_faults([{"kind": "slow_update", "seconds": 4.0}, lost])
    buy(bench.stack.shop_url, [registered(1)])


def dies_before_publishing(bench: Bench) -> None:
    """Let the publisher die when it has read a page and published none of it; one order there is two minutes older."""
    bench.kill("magento-orders", 3600)
    buy(bench.stack.shop_url, [registered(1)])
    bench.shop_faults({"clock_offset": 120.0})
    buy(bench.stack.shop_url, [registered(2)])
    bench.crash("magento-orders", "before-effect", 1)
    # The publisher before it was killed with its lease, which otherwise has to run out first.
    bench.free_leases()
    wait_until(lambda: _died(bench), "the publisher dies")
    bench.free_leases()


def one_guest(bench: Bench) -> None:
    """Place a guest's order."""
    buy(bench.stack.shop_url, [guest(1)])


def guest_with_a_customers_address(bench: Bench) -> None:
    """Let a guest give the address of somebody's account."""
    buy(bench.stack.shop_url, [prospect(1)])
    buy(bench.stack.shop_url, [Buyer(prospect(1).person)])


def one_order(bench: Bench) -> None:
    """Place a registered customer's order."""
    buy(bench.stack.shop_url, [registered(1)])


def invoices_race(bench: Bench) -> None:
    """Invoice orders while their numbers are written, in a shop whose saves take long."""
    bench.freeze("magento-order-numbers")
    orders = buy(bench.stack.shop_url, [registered(number) for number in range(3)])
    wait_until(lambda: len(bench.stack.sales_orders()) == len(orders), "ECC has the orders")
    # A save reads at its beginning and writes at its end. The bus reads for a second and saves for another, and the
    # invoices, which take one too, end in the middle of that save.
    bench.shop_faults({"latency": 1.0})
    bench.thaw("magento-order-numbers")
    time.sleep(0.6)
    with ThreadPoolExecutor(len(orders)) as people:
        for order in orders:
            people.submit(bench.shop_call, "POST", f"order/{order}/invoice", {"capture": True})
    bench.invoiced.update(orders)
    bench.shop_faults({"latency": 0.0})


def nonsense(bench: Bench) -> None:
    """Publish what is no message."""
    with channel(bench.url()) as publishing:
        headers = {"cloudEvents_id": "nonsense", "cloudEvents_type": "orderbus.ecc.order.add.v1"}
        put(publishing, "orderbus.ecc-orders", headers, "nonsense", b"{")
    bench.expected_letters["nonsense"] = ("ecc-orders", "undecodable")


def order_that_does_not_fit(bench: Bench) -> None:
    """Place an order to a city whose name no field of ECC holds."""
    buyer = registered(1)
    bench.unfit.update(buy(bench.stack.shop_url, [replace(buyer, person=replace(buyer.person, city=UNFIT))]))


QUICK: Mapping[str, tuple[tuple[Edit, ...], Scenario, str]] = {
    "ack before confirm": (breaks.ACK_BEFORE_CONFIRM, unroutable, "lost"),
    "no look-up before create": (breaks.NO_LOOK_UP_BEFORE_CREATE, dies_after_create, "duplicated"),
    "lock of scope 1": (breaks.LOCK_OF_SCOPE_1, update_outlives_its_session, "duplicated"),
    "watermark before confirm": (breaks.WATERMARK_BEFORE_CONFIRM, dies_before_publishing, "lost"),
    "release before hold": (breaks.RELEASE_BEFORE_HOLD, one_guest, "flag"),
}
SLOW: Mapping[str, tuple[tuple[Edit, ...], Scenario, str]] = {
    "e-mail as customer key": (breaks.EMAIL_AS_CUSTOMER_KEY, guest_with_a_customers_address, "customers"),
    "number not written": (breaks.NUMBER_NOT_WRITTEN, one_order, "unacknowledged"),
    "loss not reported": (breaks.LOSS_NOT_REPORTED, invoices_race, "lost update"),
    "failures swallowed": (breaks.FAILURES_SWALLOWED, nonsense, "dead letters"),
    "retried for ever": (breaks.RETRIED_FOR_EVER, order_that_does_not_fit, "stuck"),
}


@contextmanager
def bench_of(node: RabbitNode, directory: Path, edits: tuple[Edit, ...]) -> Iterator[Bench]:
    if not node.running:
        node.start()
    database = f"sqlite:///{directory}/bus.db"
    tree = breaks.broken(directory / "tree", edits)
    bench = Bench(directory, [node], database, apart=APART, tree=tree)
    # A publisher that has not looked yet whether its queues are there must learn it from the broker.
    text = bench.stack.config.read_text()
    bench.stack.config.write_text(text.replace("check_interval = 1.0", "check_interval = 60"))
    try:
        bench.start()
        ending.listen(bench)
        yield bench
    finally:
        bench.close()


def kinds_found(node: RabbitNode, directory: Path, edits: tuple[Edit, ...], scenario: Scenario) -> list[str]:
    """Return the kinds of violations that a scenario ends in, for a build with some edits."""
    with bench_of(node, directory, edits) as bench:
        scenario(bench)
        ending.settle(bench, seconds=25, still=6)
        return [violation.kind for violation in ending.check(bench)[1]]


@pytest.mark.parametrize("broken", QUICK)
def test_a_broken_build_is_caught(broken: str, rabbitmq: RabbitNode, tmp_path: Path) -> None:
    edits, scenario, kind = QUICK[broken]
    assert kind in kinds_found(rabbitmq, tmp_path, edits, scenario)


@pytest.mark.faults
@pytest.mark.parametrize("broken", SLOW)
def test_a_broken_build_is_caught_slowly(broken: str, rabbitmq: RabbitNode, tmp_path: Path) -> None:
    edits, scenario, kind = SLOW[broken]
    assert kind in kinds_found(rabbitmq, tmp_path, edits, scenario)


@pytest.mark.faults
@pytest.mark.parametrize("scenario", [*QUICK, *SLOW])
def test_the_whole_build_passes_the_same_scenario(scenario: str, rabbitmq: RabbitNode, tmp_path: Path) -> None:
    _, act, _ = {**QUICK, **SLOW}[scenario]
    assert kinds_found(rabbitmq, tmp_path, (), act) == []
