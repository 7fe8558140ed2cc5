"""Dead letters are listed without being moved, and sent again without being lost."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import amqp
import kombu
import msgspec
import pytest

from bus import dead, pull, topology
from bus.config import BrokerConfig
from bus.service import Row
from schemas.failures import Outage, Permanent
from schemas.topics import EVENTS
from tests.processes import free_port, wait_until
from tests.rabbitmq import RabbitNode

ORDERS, ROUTER = Row("ecc-orders"), Row("router")
TABLE = (ORDERS, ROUTER)


@pytest.fixture
def config(broker_url: str) -> BrokerConfig:
    config = BrokerConfig(url=broker_url, delivery_limit=2)
    topology.apply(config, TABLE)
    return config


def fault(number: int, **more: Any) -> dict[str, Any]:
    return {
        "cloudEvents_id": f"order-{number}",
        "cloudEvents_type": "orderbus.ecc.order.add.v1",
        "cloudEvents_correlationid": f"journey-{number}",
        "orderbus-attempts": 8,
        "orderbus-fault-reason": "permanent",
        "orderbus-fault-exception-type": "schemas.failures.Permanent",
        "orderbus-fault-message": "ECC does not know currency XTS.",
        "orderbus-fault-remedy": "Add it in customising.",
        "orderbus-fault-service": "ecc-orders",
        "orderbus-fault-attempts": 8,
        "orderbus-fault-first-failed-at": "2026-01-02T03:04:05.000Z",
        "orderbus-fault-last-failed-at": "2026-01-02T03:14:05.000Z",
        "orderbus-fault-host": "somewhere",
        **more,
    }


def bury(config: BrokerConfig, row: Row, *numbers: int, body: bytes | None = None, **headers: Any) -> None:
    """Put dead letters where the bus puts them."""
    with kombu.Connection(config.url, transport_options={"confirm_publish": True}) as connection:
        for number in numbers:
            message = amqp.Message(
                body or json.dumps({"number": number}).encode(),
                content_type="application/json",
                delivery_mode=2,
                message_id=f"order-{number}",
                correlation_id=f"journey-{number}",
                application_headers=fault(number, **headers),
            )
            connection.default_channel.basic_publish(message, exchange=topology.DEAD, routing_key=row.queue)


def take(config: BrokerConfig, queue: str) -> list[Any]:
    """Take all messages out of a queue."""
    taken = []
    with kombu.Connection(config.url) as connection:
        while message := connection.default_channel.basic_get(queue, no_ack=True):
            taken.append(message)
    return taken


def count(config: BrokerConfig, queue: str) -> int:
    with kombu.Connection(config.url) as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


def ids(letters: list[dead.DeadLetter]) -> list[str]:
    return [letter.id for letter in letters]


def test_a_dead_letter_says_what_went_wrong(config: BrokerConfig) -> None:
    bury(config, ORDERS, 1)
    (letter,) = dead.list_dead(config, TABLE)
    assert letter == dead.DeadLetter(
        id="order-1",
        service="ecc-orders",
        type="orderbus.ecc.order.add.v1",
        subject="",
        correlation_id="journey-1",
        reason="permanent",
        exception_type="schemas.failures.Permanent",
        message="ECC does not know currency XTS.",
        remedy="Add it in customising.",
        attempts=8,
        first_failed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        last_failed_at=datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC),
        host="somewhere",
        deliveries=0,
        retried=0,
        retried_at=None,
        size=13,
    )


def test_listing_changes_neither_number_nor_order_however_often(config: BrokerConfig) -> None:
    bury(config, ORDERS, *range(12))
    bury(config, ROUTER, 77)
    for _ in range(config.delivery_limit + 3):
        assert ids(dead.list_dead(config, TABLE, limit=4)) == [f"order-{number}" for number in range(4)]
    assert len(dead.list_dead(config, TABLE)) == 13
    assert ids(dead.list_dead(config, TABLE, service="router")) == ["order-77"]
    assert [json.loads(message.body)["number"] for message in take(config, "orderbus.ecc-orders.dead")] == [*range(12)]


def test_showing_gives_headers_and_body(config: BrokerConfig) -> None:
    bury(config, ORDERS, 1, 2)
    bury(config, ROUTER, 2)
    contents = dead.show(config, TABLE, "order-2")
    assert [one.letter.service for one in contents] == ["ecc-orders", "router"]
    assert contents[0].body == '{"number": 2}'
    assert contents[0].headers["orderbus-fault-attempts"] == 8
    assert len(dead.show(config, TABLE, "order-2", service="router")) == 1
    with pytest.raises(Permanent, match="no dead letter order-3"):
        dead.show(config, TABLE, "order-3")
    msgspec.json.encode(contents)


def test_retry_sends_to_the_queue_where_it_failed_and_to_no_other(config: BrokerConfig) -> None:
    with kombu.Connection(config.url) as connection:
        subscriber = kombu.Queue("everything", kombu.Exchange(EVENTS, "topic"), "#", channel=connection.default_channel)
        subscriber.declare()
    bury(config, ORDERS, 1, 2, 3)
    assert ids(dead.retry(config, TABLE, ["order-2"])) == ["order-2"]
    assert ids(dead.list_dead(config, TABLE)) == ["order-1", "order-3"]
    (message,) = take(config, "orderbus.ecc-orders")
    assert count(config, "everything") == 0
    assert count(config, "orderbus.router") == 0
    assert json.loads(message.body) == {"number": 2}
    assert message.properties["message_id"] == "order-2"
    assert message.properties["correlation_id"] == "journey-2"
    assert message.properties["delivery_mode"] == 2
    assert message.properties["content_type"] == "application/json"


def test_retry_keeps_the_history_and_starts_the_attempts_anew(config: BrokerConfig) -> None:
    bury(config, ORDERS, 1, custom=True)
    dead.retry(config, TABLE, None)
    (message,) = take(config, "orderbus.ecc-orders")
    headers = message.headers
    assert "orderbus-attempts" not in headers
    assert "x-death" not in headers
    before = fault(1, custom=True)
    del before["orderbus-attempts"]
    assert {name: headers[name] for name in before} == before
    assert headers["orderbus-retried-count"] == 1
    assert datetime.fromisoformat(headers["orderbus-retried-at"]).tzinfo
    bury(config, ORDERS, 1, **{"orderbus-retried-count": 1})
    dead.retry(config, TABLE, None)
    (message,) = take(config, "orderbus.ecc-orders")
    assert message.headers["orderbus-retried-count"] == 2


def test_what_the_broker_itself_gave_up_is_explained_too(config: BrokerConfig) -> None:
    with kombu.Connection(config.url, transport_options={"confirm_publish": True}) as connection:
        # The headers of an earlier failure must not be taken for this one's.
        message = amqp.Message(b"poison", message_id="order-9", application_headers=fault(9))
        connection.default_channel.basic_publish(message, routing_key=ORDERS.queue)
        for _ in range(config.delivery_limit + 1):
            taken = None
            while taken is None:
                taken = connection.default_channel.basic_get(ORDERS.queue)
            connection.default_channel.basic_reject(taken.delivery_tag, requeue=True)
    wait_until(lambda: count(config, "orderbus.ecc-orders.dead") == 1, "the broker dead-letters the message")
    (letter,) = dead.list_dead(config, TABLE)
    assert (letter.id, letter.reason) == ("order-9", "delivery-limit")
    assert letter.message == "The broker gave the message up: delivery-limit in orderbus.ecc-orders."
    assert letter.exception_type == ""
    dead.retry(config, TABLE, ["order-9"])
    (message,) = take(config, ORDERS.queue)
    assert message.headers["orderbus-fault-reason"] == "delivery-limit"
    assert not {"x-death", "x-first-death-queue"} & set(message.headers)


def test_a_message_that_carries_nothing_can_be_shown_and_sent_again(config: BrokerConfig) -> None:
    with kombu.Connection(config.url, transport_options={"confirm_publish": True}) as connection:
        connection.default_channel.basic_publish(
            amqp.Message(b"\xff\x00"), exchange=topology.DEAD, routing_key=ORDERS.queue
        )
    (letter,) = dead.list_dead(config, TABLE)
    assert len(letter.id) == 32
    assert dead.show(config, TABLE, letter.id)[0].body == "\ufffd\x00"
    assert dead.retry(config, TABLE, [letter.id])[0].id == letter.id
    assert len(take(config, ORDERS.queue)) == 1


def test_a_large_body_comes_through_whole(config: BrokerConfig) -> None:
    body = b"x" * 3_000_000
    bury(config, ORDERS, 1, body=body)
    dead.retry(config, TABLE, ["order-1"])
    (message,) = take(config, ORDERS.queue)
    assert len(message.body) == len(body)


def test_retrying_all_does_not_chase_what_fails_again(config: BrokerConfig) -> None:
    bury(config, ORDERS, *range(5))
    assert len(dead.retry(config, TABLE, None, each=lambda _letter: bury(config, ORDERS, 99))) == 5
    assert count(config, "orderbus.ecc-orders.dead") == 5


def test_a_dead_letter_stays_while_its_queue_is_missing(config: BrokerConfig) -> None:
    bury(config, ORDERS, 1)
    with kombu.Connection(config.url) as connection:
        connection.default_channel.queue_delete(ORDERS.queue)
    with pytest.raises(Permanent, match=r"No queue orderbus\.ecc-orders takes the message"):
        dead.retry(config, TABLE, None)
    assert ids(dead.list_dead(config, TABLE)) == ["order-1"]


def test_a_dead_letter_outlives_a_crash_between_publish_and_ack(
    config: BrokerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(_self: object, _pulled: object) -> None:
        raise Crash

    bury(config, ORDERS, 1, 2)
    monkeypatch.setattr(pull.PullChannel, "ack", crash)
    with pytest.raises(Crash):
        dead.retry(config, TABLE, None)
    monkeypatch.undo()
    assert ids(dead.list_dead(config, TABLE)) == ["order-1", "order-2"]
    assert len(take(config, ORDERS.queue)) == 1


def test_a_connection_lost_meanwhile_loses_nothing(rabbitmq: RabbitNode, config: BrokerConfig) -> None:
    bury(config, ORDERS, *range(4))
    sent = threading.Event()

    def cut(_letter: dead.DeadLetter) -> None:
        if not sent.is_set():
            sent.set()
            rabbitmq.close_all_connections(config.url)

    with pytest.raises(Outage, match="connection to the broker was lost"):
        dead.retry(config, TABLE, None, each=cut)
    kept = {letter.id for letter in dead.list_dead(config, TABLE)}
    arrived = {message.properties["message_id"] for message in take(config, ORDERS.queue)}
    assert kept | arrived == {f"order-{number}" for number in range(4)}
    assert "order-3" in kept


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(Permanent, match="embedded broker"):
        dead.list_dead(BrokerConfig(url="memory://"), TABLE)
    with pytest.raises(Permanent, match="no service 'nobody'"):
        dead.list_dead(BrokerConfig(url="amqp://localhost"), TABLE, service="nobody")
    nowhere = BrokerConfig(url=f"amqp://someone:secret@127.0.0.1:{free_port()}/")
    with pytest.raises(Outage, match="No broker answered") as caught:
        dead.list_dead(nowhere, TABLE)
    assert "secret" not in str(caught.value)


def test_a_missing_dead_letter_queue_is_said(broker_url: str) -> None:
    with pytest.raises(Permanent, match=r"orderbus\.ecc-orders\.dead.*topology apply"):
        dead.list_dead(BrokerConfig(url=broker_url), TABLE)
