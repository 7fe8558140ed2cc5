"""Services as processes: replicas, pollers that run twice, and a stop in the middle of the work."""

import re
import signal
import urllib.request
from collections.abc import Iterator

import pytest

from tests.flow.buying import buy, buy_one, prospect, registered
from tests.flow.conftest import Run, Running
from tests.flow.wire import of_order
from tests.processes import wait_until
from tests.stack import get, post

REPLICAS = ("ecc-orders", "ecc-orders#2")
POLLERS = ("magento-orders", "magento-orders#2")
SHARED = "magento-customers+router+contacts"
SERVICES = (
    *POLLERS,
    *REPLICAS,
    "magento-order-numbers",
    SHARED,
    "ecc-holds+ecc-customers+ecc-registrations+ecc-releases+ecc-clear-flags",
)
CREATE = "BAPI_SALESORDER_CREATEFROMDAT2"


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"ecc": "sessions = 2"}, SERVICES) as running:
        yield running


def metric(system: Running, process: str, name: str, **labels: str) -> float:
    """Return a metric of a process, summed over the labels not given."""
    url = f"http://127.0.0.1:{system.stack.http_ports[process]}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    total = 0.0
    for line in text.splitlines():
        match = re.fullmatch(rf"{name}(?:\{{(?P<labels>[^}}]*)\}})? (?P<value>\S+)", line)
        if match and all(f'{label}="{value}"' in (match["labels"] or "") for label, value in labels.items()):
            total += float(match["value"])
    return total


def handled(system: Running, process: str, service: str) -> float:
    return metric(system, process, "orderbus_messages_handled_total", service=service, outcome="done")


def published(system: Running, poller: str) -> float:
    return metric(system, poller, "orderbus_messages_published_total", service="magento-orders")


def slow_creations(system: Running, seconds: float, count: int) -> None:
    fault = {"kind": "slow_call", "function": CREATE, "seconds": seconds, "count": count}
    post(f"{system.stack.ecc_url}/_simulator/faults", fault)


def slow_hits(system: Running) -> int:
    hits: int = get(f"{system.stack.ecc_url}/_simulator/faults")["hits"].get("slow_call", 0)
    return hits


def shop_latency(system: Running, seconds: float) -> None:
    post(f"{system.stack.shop_url}/_simulator/faults", {"latency": seconds})


def test_replicas_share_the_work(system: Running) -> None:
    orders = 24
    slow_creations(system, 0.05, orders)
    buy(system.stack.shop_url, [registered(number) for number in range(orders // 2)] * 2)
    system.stack.wait_finished(orders)
    shares = [handled(system, replica, "ecc-orders") for replica in REPLICAS]
    assert sum(shares) == orders
    assert min(shares) > orders / 6


def test_services_that_share_a_process_all_work(system: Running) -> None:
    order_id = buy_one(system.stack.shop_url, prospect(1))
    system.wire.wait("order.acknowledged", of_order(system.shop.number(order_id)))
    assert all(handled(system, SHARED, service) > 0 for service in SHARED.split("+"))


def test_a_process_told_to_stop_finishes_a_call_in_a_thread(system: Running) -> None:
    # The other replica leaves, so that nobody else can do this one's work.
    system.stack.signal("ecc-orders#2", signal.SIGTERM)
    assert system.stack.processes.pop("ecc-orders#2").wait() == 0
    hits = slow_hits(system)
    slow_creations(system, 2, 1)
    number = system.shop.number(buy_one(system.stack.shop_url, registered(13)))
    wait_until(lambda: slow_hits(system) > hits, "ECC is at work")

    system.stack.signal("ecc-orders", signal.SIGTERM)
    assert system.stack.processes["ecc-orders"].wait() == 0

    assert len(system.sales_orders(number)) == 1
    (synced,) = system.wire.seen("order.synced", of_order(number))
    assert "existed" not in synced.body
    assert system.wire.waiting("orderbus.ecc-orders") == 0, "what was finished is acknowledged"
    system.wire.wait("order.acknowledged", of_order(number))
    system.stack.start_services(["ecc-orders"])


def test_a_process_told_to_stop_finishes_a_request(system: Running) -> None:
    hits = slow_hits(system)
    slow_creations(system, 1, 1)
    order_id = buy_one(system.stack.shop_url, registered(14))
    number = system.shop.number(order_id)
    wait_until(lambda: slow_hits(system) > hits, "ECC is at work")
    shop_latency(system, 1.0)
    try:
        (synced,) = system.wire.wait("order.synced", of_order(number))
        wait_until(lambda: system.wire.waiting("orderbus.magento-order-numbers") == 0, "the number is taken")
        assert system.shop.order(order_id)["ext_order_id"] is None, "the request must still be on its way"
        system.stack.signal("magento-order-numbers", signal.SIGTERM)
        assert system.stack.processes["magento-order-numbers"].wait() == 0
    finally:
        shop_latency(system, 0.0)
    assert system.shop.order(order_id)["ext_order_id"] == synced.body["sales_order"]
    assert len(system.wire.seen("order.acknowledged", of_order(number))) == 1
    assert system.wire.waiting("orderbus.magento-order-numbers") == 0, "what was finished is acknowledged"
    system.stack.start_services(["magento-order-numbers"])


def arrive(system: Running, *numbers: int, seconds: float) -> None:
    """Let registered customers buy, and wait until their orders have come to their end."""
    before = len(system.stack.orders())
    buy(system.stack.shop_url, [registered(number) for number in numbers])
    system.stack.wait_finished(before + len(numbers), seconds)


def test_one_of_two_pollers_polls_and_the_other_takes_over(system: Running) -> None:
    counts = {poller: published(system, poller) for poller in POLLERS}
    leader, follower = sorted(POLLERS, key=lambda poller: -counts[poller])
    assert counts[leader] >= 1
    assert counts[follower] == 0

    # One that is told to stop hands over at once ...
    system.stack.signal(leader, signal.SIGTERM)
    assert system.stack.processes[leader].wait() == 0
    arrive(system, 15, 16, seconds=15)
    assert published(system, follower) == 2

    # ... and one that is killed when its lease has run out.
    system.stack.start_services([leader])
    system.stack.kill(follower)
    arrive(system, 17, seconds=30)
    assert published(system, leader) == 1
