"""Orders flow through what the compose file starts, each service as its own container and its own RabbitMQ user."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import kombu
import pytest

from bus.permissions import OPERATOR
from orderbus.services import TABLE
from schemas.topics import EVENTS
from tests.compose.containers import Containers
from tests.compose.files import COMPOSE, environment
from tests.flow.buying import buy, guest, prospect, registered
from tests.processes import wait_until
from tests.stack import get, post

NAMES = [row.name for row in TABLE]


@pytest.fixture(scope="module")
def containers(compose: dict[str, Any], made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Yield every container, up and healthy."""
    started = Containers(compose, made, tmp_path_factory.mktemp("containers"))
    try:
        started.up()
        yield started
    finally:
        started.close()


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        text: str = response.read().decode()
        return text


def broker_url(containers: Containers, compose: dict[str, Any], made: Path, container: str) -> str:
    """Return the broker's URL as a container is told it."""
    assert containers.broker is not None
    url = environment(compose["services"][container], made)["ORDERBUS_BROKER_URL"]
    return url.replace("rabbitmq:5672", f"127.0.0.1:{containers.broker.port}")


def test_orders_flow_and_every_service_is_a_user_of_its_own(containers: Containers) -> None:
    for name in NAMES:
        containers.wait_ready(name)
    assert containers.broker is not None
    users = containers.broker.ctl("list_connections", "user").split()
    assert sorted(user for user in users if user != "user") == sorted(NAMES)

    shop, ecc = containers.url("magento", 8081), containers.url("ecc", 8090)
    # A lock of somebody else's makes one order wait a moment on the retry ladder, which its user must be able to do.
    post(f"{ecc}/_simulator/faults", {"kind": "lock_held", "key": "default-000000001", "for_seconds": 3})
    buyers = [registered(0), registered(1), prospect(0), prospect(1), guest(0), guest(0)]
    buy(shop, buyers)

    def finished() -> bool:
        orders = get(f"{shop}/_simulator/orders")["orders"]
        rows = get(f"{ecc}/_simulator/pending-orders")["items"]
        return all(order["ext_order_id"] for order in orders) and {row["cleared"] for row in rows} == {"X"}

    wait_until(finished, "every order has come to the end of its way", seconds=120, every=0.5)
    orders = {f"default-{order['increment_id']}": order for order in get(f"{shop}/_simulator/orders")["orders"]}
    documents = get(f"{ecc}/_simulator/sales-orders")["items"]
    assert {document["purch_no_c"]: document["vbeln"] for document in documents} == {
        key: order["ext_order_id"] for key, order in orders.items()
    }
    assert len(documents) == len(orders) == len(buyers)
    assert len(get(f"{ecc}/_simulator/pending-orders")["items"]) == 4
    assert get(f"{ecc}/_simulator/counts")["customers_registered"] == 3
    # The configuration has a true guest's account created.
    numbers = {one["email"]: one["attributes"] for one in get(f"{shop}/_simulator/customers")["customers"]}
    assert numbers["guest0@mail.example"]["sap_customer_number"]
    assert 'orderbus_retries_total{service="ecc-orders"}' in fetched(f"{containers.url('ecc-orders')}/metrics")
    for name in NAMES:
        assert '"level": "ERROR"' not in containers.output(name), containers.output(name)


def test_a_dead_letter_is_kept_and_shown_to_the_operator(
    containers: Containers, compose: dict[str, Any], made: Path
) -> None:
    with kombu.Connection(broker_url(containers, compose, made, "topology")) as connection:
        message = amqp.Message("{", message_id="broken")
        connection.default_channel.basic_publish(message, exchange="", routing_key="orderbus.ecc-orders")

    def letters() -> list[Any]:
        found: list[Any] = json.loads(containers.run("topology", "dead", "list", "--json"))
        return found

    wait_until(letters, "the message is dead-lettered", every=0.5)
    assert [letter["service"] for letter in letters()] == ["ecc-orders"]
    with kombu.Connection(broker_url(containers, compose, made, "contacts")) as connection:
        channel = connection.default_channel
        with pytest.raises(amqp.AccessRefused):
            channel.basic_get("orderbus.ecc-orders.dead")


def test_a_service_is_refused_what_is_not_its_own(containers: Containers, compose: dict[str, Any], made: Path) -> None:
    url = broker_url(containers, compose, made, "magento-orders")
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        channel = connection.default_channel
        with pytest.raises(amqp.AccessRefused):
            channel.basic_publish(amqp.Message("{}"), exchange=EVENTS, routing_key="order.synced")
    with kombu.Connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.default_channel.queue_purge("orderbus.ecc-orders")


def test_the_operator_is_no_service(compose: dict[str, Any], made: Path) -> None:
    told = [environment(each, made).get("ORDERBUS_BROKER_URL", "") for each in compose["services"].values()]
    assert sum(f"//{OPERATOR}:" in url for url in told) == 1


def test_what_prometheus_asks_is_answered(containers: Containers) -> None:
    assert (COMPOSE / "prometheus" / "prometheus.yml").exists()
    for name in NAMES:
        assert "orderbus_broker_connected 1.0" in fetched(f"{containers.url(name)}/metrics")
    queues = "metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
    answer = fetched(f"{containers.url('rabbitmq', 15692)}/{queues}")
    assert 'rabbitmq_detailed_queue_messages_ready{vhost="orderbus",queue="orderbus.ecc-orders"}' in answer
