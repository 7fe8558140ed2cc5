"""What the bus promises on RabbitMQ and cannot promise embedded: each test names the promise that it is about.

`bus.memory.NOT_PROMISED` says of each why; `test_what_the_embedded_broker_does_not_promise_is_said` compares the two.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import amqp
import pytest

from bus import headers as h
from bus import topology
from bus.lane import AmqpLane
from bus.memory import NOT_PROMISED
from bus.service import Service
from bus.transport import client
from schemas import messages as m
from schemas.envelope import Message
from schemas.failures import Outage, Permanent, Transient
from tests.bus.conftest import Bus, until
from tests.bus.sample import ORDERS, ROUTER, SHOP, TABLE, placed
from tests.processes import free_port
from tests.rabbitmq import RabbitNode

PROMISES: dict[str, list[str]] = {}


def promise(name: str) -> Callable[[Any], Any]:
    """Note which promise of a real broker a test is about."""

    def note(test: Any) -> Any:
        PROMISES.setdefault(name, []).append(test.__name__)
        return test

    return note


def route(message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
    return (m.AddSalesOrder(message.body.order, "0000012345"),)


def router(handler: Any = route, **options: Any) -> Service:
    return Service(ROUTER, {m.OrderPlaced: handler}, **({"runs": "inline"} | options))


class Raw:
    """A client beside the bus: publishes and takes messages as they are."""

    def __init__(self, bus: Bus, url: str = "") -> None:
        self._client = client(url or bus.url)
        self.channel: Any = self._client.default_channel

    def publish(
        self, body: bytes = b"{}", *, exchange: str = "orderbus.events", key: str = "order.placed", **properties: Any
    ) -> None:
        """Publish, with CloudEvents headers of an OrderPlaced unless others are given."""
        headers = {
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": "raw-1",
            "cloudEvents_source": "/tests",
            "cloudEvents_type": "orderbus.order.placed.v1",
        }
        properties = {"content_type": "application/json", "message_id": "raw-1"} | properties
        properties["application_headers"] = headers | properties.get("application_headers", {})
        self.channel.basic_publish(amqp.Message(body, **properties), exchange=exchange, routing_key=key)

    def take(self, queue: str) -> Any:
        """Take a message off a queue; ``None`` if there is none."""
        return self.channel.basic_get(queue=queue, no_ack=True)

    def ready(self, queue: str) -> int:
        """Return the number of messages that wait."""
        count: int = self.channel.queue_declare(queue=queue, passive=True).message_count
        return count

    def close(self) -> None:
        self._client.release()


@pytest.fixture
def raw(bus: Bus) -> Any:
    bus.apply()
    raw = Raw(bus)
    yield raw
    raw.close()


async def dead_letter(raw: Raw, service: str = "router") -> Any:
    """Wait for a dead letter and return it."""
    found: list[Any] = []

    def look() -> bool:
        message = raw.take(f"orderbus.{service}.dead")
        if message is not None:
            found.append(message)
        return bool(found)

    await until(look, "a dead letter")
    return found[0]


# Messages from others


@promise("several processes")
@pytest.mark.parametrize(
    ("properties", "body", "reason"),
    [
        ({}, b"no json", "undecodable"),
        ({}, b'{"order": 1}', "undecodable"),
        ({}, b"\xff\xfe", "undecodable"),
        ({}, b"[" * 100_000, "undecodable"),
        ({"application_headers": {"cloudEvents_id": ""}}, b"{}", "undecodable"),
        ({"application_headers": {"cloudEvents_id": 7}}, b"{}", "undecodable"),
        ({"application_headers": {"cloudEvents_time": "yesterday"}}, b"{}", "undecodable"),
        ({"application_headers": {"cloudEvents_specversion": "2.0"}}, b"{}", "undecodable"),
        ({"application_headers": {"cloudEvents_subject": "x" * 2000}}, b"{}", "undecodable"),
        ({"application_headers": {"cloudEvents_type": "orderbus.order.placed.v2"}}, b"{}", "unknown-type"),
        ({"application_headers": {"cloudEvents_type": None}}, b"{}", "unknown-type"),
        ({}, b" " * 20_000, "too-large"),
    ],
)
async def test_what_cannot_be_read_is_dead_lettered_as_it_came(
    bus: Bus, raw: Raw, properties: dict[str, Any], body: bytes, reason: str
) -> None:
    runtime = await bus.run(router(), max_message_bytes=10_000 if reason == "too-large" else 4_000_000)
    raw.publish(body, **properties)
    letter = await dead_letter(raw)
    headers = letter.headers
    assert headers[h.FAULT_REASON] == reason
    assert headers[h.FAULT_SERVICE] == "router"
    assert headers[h.FAULT_ATTEMPTS] == 1
    assert headers[h.FAULT_HOST]
    assert headers[h.FAULT_REMEDY]
    assert headers[h.FAULT_FIRST_FAILED_AT] == headers[h.FAULT_LAST_FAILED_AT]
    assert headers[h.ORIGIN_EXCHANGE] == "orderbus.events"
    assert headers[h.ORIGIN_ROUTING_KEY] == "order.placed"
    assert letter.body == body
    await until(lambda: runtime.metrics.dead["router", reason] == 1, "it is counted")
    await runtime.stop()
    assert raw.ready("orderbus.router") == 0


@promise("several processes")
async def test_a_body_of_five_megabytes_is_dead_lettered_whole(bus: Bus, raw: Raw) -> None:
    await bus.run(router())
    body = bytes(range(256)) * 20_480
    raw.publish(body)
    letter = await dead_letter(raw)
    assert letter.headers[h.FAULT_REASON] == "too-large"
    assert letter.body == body


@promise("several processes")
async def test_headers_too_large_to_be_published_again_are_dead_lettered_by_the_broker(bus: Bus, raw: Raw) -> None:
    await bus.run(router())
    raw.publish(b"no json", application_headers={"padding": "x" * 110_000})
    letter = await dead_letter(raw)
    assert letter.headers["x-death"][0]["reason"] == "rejected"
    assert letter.body == b"no json"


@promise("several processes")
async def test_properties_that_act_on_the_broker_do_not_act_again(bus: Bus, raw: Raw, rabbitmq: RabbitNode) -> None:
    """A foreign user id closes the channel, an expiration expires the dead letter, ``CC`` copies, ``x-death`` drops."""
    stranger = Raw(bus, rabbitmq.add_user(f"stranger-{time.monotonic_ns()}", vhost=bus.url))
    user = rabbitmq_user(stranger)
    failures: list[Exception] = [Transient("Busy.", "Wait."), Permanent("No.", "Never.")]

    def handle(_message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        raise failures.pop(0)

    await bus.run(router(handle), retry_delays=(1, 2))
    body = order_json()
    deaths = [
        {"queue": "orderbus.router", "reason": "delivery_limit", "count": 1, "exchange": "", "routing-keys": ["x"]}
    ]
    stranger.publish(
        body,
        user_id=user,
        expiration="60000",
        priority=3,
        application_headers={"CC": ["order.held"], "x-death": deaths, "x-delivery-count": 99, "mine": [1, "two"]},
    )
    letter = await dead_letter(raw)
    stranger.close()
    assert letter.headers[h.FAULT_REASON] == "permanent"
    assert letter.headers[h.FAULT_ATTEMPTS] == 2
    assert letter.headers["mine"] == [1, "two"]
    assert letter.properties["priority"] == 3
    assert "user_id" not in letter.properties
    assert "expiration" not in letter.properties
    assert letter.body == body


def rabbitmq_user(raw: Raw) -> str:
    user: str = raw._client.userid
    return user


def order_json() -> bytes:
    from bus.codec import Encoder  # noqa: PLC0415

    return Encoder(SHOP, TABLE, 4_000_000).first(placed(1)).body


@promise("several processes")
async def test_a_wrong_attempt_count_from_outside_does_no_harm(bus: Bus, raw: Raw) -> None:
    seen: list[int] = []

    def handle(message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        seen.append(message.attempt)
        return ()

    await bus.run(router(handle))
    for count in (-5, "7", 2**62, None, 3):
        raw.publish(order_json(), application_headers={h.ATTEMPTS: count})
    await until(lambda: len(seen) == 5, "all are handled")
    assert seen[0] == seen[1] == seen[3] == 1
    assert seen[4] == 4


@promise("dead letters can be sent again")
async def test_a_dead_letter_says_what_failed_and_carries_no_data(bus: Bus, raw: Raw) -> None:
    def handle(_message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        raise ValueError("jane@acme.example owes 12.00")

    await bus.run(bus.shop(), router(handle), service("ecc-orders"), service("magento-order-numbers"), bug_attempts=2)
    bus.place(placed(1))
    letter = await dead_letter(raw)
    headers = letter.headers
    assert headers[h.FAULT_REASON] == "bug"
    assert headers[h.FAULT_EXCEPTION_TYPE] == "builtins.ValueError"
    assert "ValueError" in headers[h.FAULT_MESSAGE]
    assert "in handle" in headers[h.FAULT_MESSAGE]
    assert headers[h.FAULT_ATTEMPTS] == 2
    assert headers[h.FAULT_FIRST_FAILED_AT] < headers[h.FAULT_LAST_FAILED_AT]
    assert headers["cloudEvents_id"] == letter.properties["message_id"] == "placed-1"
    assert "jane" not in str(headers)


def service(name: str) -> Service:
    """Return a service of the table that does nothing."""
    row = next(row for row in TABLE if row.name == name)
    return Service(row, dict.fromkeys(row.consumes, lambda _: ()), runs="threads")


# Confirm, and only then acknowledge


@promise("survives a crash")
@pytest.mark.usefixtures("raw")
async def test_when_the_connection_is_lost_after_the_confirm_the_same_ids_are_published_again(
    bus: Bus, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledge = AmqpLane.acknowledge
    monkeypatch.setattr(AmqpLane, "acknowledge", lambda *_, **__: None)
    runtime = await bus.run(bus.shop(), router())
    bus.place(placed(1))
    await until(lambda: runtime.metrics.published["router", "ecc.order.add"] == 1, "the command is confirmed")
    rabbitmq.close_all_connections(bus.url)
    await until(lambda: runtime.metrics.published["router", "ecc.order.add"] == 2, "it is published again")
    monkeypatch.setattr(AmqpLane, "acknowledge", acknowledge)
    again = Raw(bus)
    first, second = again.take("orderbus.ecc-orders"), again.take("orderbus.ecc-orders")
    again.close()
    assert first.properties["message_id"] == second.properties["message_id"]
    assert first.headers["cloudEvents_id"] == second.headers["cloudEvents_id"] == first.properties["message_id"]
    assert first.body == second.body


@promise("survives a crash")
async def test_an_input_is_not_acknowledged_before_its_outputs_are_confirmed(
    bus: Bus, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confirms are kept from the lane, as if they came too late."""
    monkeypatch.setattr(AmqpLane, "_on_confirm", lambda *_: None)
    runtime = await bus.run(router(), stop_timeout=0.3)
    raw.publish(order_json())
    await until(lambda: raw.ready("orderbus.ecc-orders") == 1, "the command is there")
    await runtime.stop()
    await until(lambda: raw.ready("orderbus.router") == 1, "the order is there again")


@promise("survives a crash")
async def test_when_a_confirm_does_not_come_the_channel_is_given_up_and_all_is_sent_again(
    bus: Bus, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = AmqpLane._on_confirm
    monkeypatch.setattr(AmqpLane, "_on_confirm", lambda *_: None)
    runtime = await bus.run(router(), confirm_timeout=0.5)
    raw.publish(order_json())
    await until(lambda: any("did not confirm" in problem for problem in runtime.problems()), "it is noticed")
    monkeypatch.setattr(AmqpLane, "_on_confirm", confirm)
    await until(lambda: runtime.metrics.published["router", "ecc.order.add"] == 1, "it is confirmed")
    await until(lambda: not runtime.problems(), "the service is ready again")


@promise("survives a crash")
@pytest.mark.usefixtures("raw")
async def test_one_stuck_message_does_not_hold_back_the_acknowledgements_of_others(
    bus: Bus, rabbitmq: RabbitNode
) -> None:
    stuck = asyncio.Event()
    calls: list[str] = []

    async def handle(message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        calls.append(message.envelope.id)
        if message.envelope.id == "placed-0" and calls.count("placed-0") == 1:
            await stuck.wait()
        return ()

    runtime = await bus.run(
        bus.shop(),
        router(handle, runs="loop", concurrency=20),
        service("ecc-orders"),
        service("magento-order-numbers"),
    )
    bus.place(*(placed(number) for number in range(10)))
    done = ("router", "orderbus.order.placed.v1", "done")
    await until(lambda: runtime.metrics.handled[done] == 9, "the others are handled")
    await until(lambda: unacknowledged(rabbitmq, bus, "router") == 1, "the others are acknowledged")
    rabbitmq.close_all_connections(bus.url)
    await until(lambda: calls.count("placed-0") == 2, "the stuck one is delivered again")
    await asyncio.sleep(0.2)
    assert len(calls) == 11
    stuck.set()


def unacknowledged(rabbitmq: RabbitNode, bus: Bus, name: str) -> int:
    """Return how many messages of a service's queue are delivered and not acknowledged."""
    vhost = bus.url.rpartition("/")[2]
    return int(
        rabbitmq.eval(
            f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"orderbus.{name}">>)), '
            "[{_, N}] = rabbit_quorum_queue:info(Q, [messages_unacknowledged]), N."
        )
    )


@promise("delivery limit")
@pytest.mark.usefixtures("raw")
async def test_a_message_that_never_gets_settled_is_dead_lettered(bus: Bus, rabbitmq: RabbitNode) -> None:
    calls = 0

    async def handle(_message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        nonlocal calls
        calls += 1
        rabbitmq.close_all_connections(bus.url)
        return ()

    vhost_of_its_own = bus.config(delivery_limit=2)
    with topology.connect(vhost_of_its_own) as connection:
        connection.default_channel.queue_delete(queue="orderbus.router")
    runtime = await bus.run(router(handle, runs="loop"), delivery_limit=2)
    again = Raw(bus)
    again.publish(order_json())
    await until(lambda: runtime.metrics.dead["router", "delivery-limit"] == 1, "it is dead-lettered")
    assert calls == 2


# The connection


@promise("reconnects")
async def test_heartbeats_survive_a_handler_that_blocks(bus: Bus, raw: Raw) -> None:
    calls = 0

    def handle(_message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        nonlocal calls
        calls += 1
        time.sleep(5)
        return ()

    # No looks for missing queues meanwhile: they too would keep the connection alive.
    runtime = await bus.run(router(handle, runs="threads"), heartbeat=1, check_interval=60)
    raw.publish(order_json())
    done = ("router", "orderbus.order.placed.v1", "done")
    await until(lambda: runtime.metrics.handled[done] == 1, "it is handled")
    await asyncio.sleep(0.2)
    assert calls == 1


@promise("reconnects")
async def test_a_broker_that_falls_silent_is_noticed(bus: Bus, raw: Raw, rabbitmq: RabbitNode) -> None:
    runtime = await bus.run(router(), heartbeat=1, connect_timeout=1)
    rabbitmq.pause()
    try:
        await until(runtime.problems, "its silence is noticed")
    finally:
        rabbitmq.resume()
    await until(lambda: not runtime.problems(), "it is connected again")
    raw.close()
    again = Raw(bus)
    again.publish(order_json())
    await until(lambda: again.ready("orderbus.ecc-orders") == 1, "work goes on")
    again.close()


@promise("reconnects")
@pytest.mark.usefixtures("raw")
async def test_work_goes_on_after_a_restart_of_the_broker(bus: Bus, rabbitmq: RabbitNode) -> None:
    runtime = await bus.run(bus.shop(), router(), service("ecc-orders"), service("magento-order-numbers"))
    for number in range(200):
        bus.place(placed(number))
    await until(lambda: len(bus.confirmed) > 20, "some orders are placed")
    rabbitmq.settle()
    await asyncio.to_thread(rabbitmq.stop)
    await until(runtime.problems, "the loss is noticed")
    assert runtime.alive()
    await asyncio.to_thread(rabbitmq.start)
    came_back = time.monotonic()
    await until(lambda: len(set(bus.confirmed)) == 200, "all orders are placed", 60)
    assert time.monotonic() - came_back < 30
    done = ("ecc-orders", "orderbus.ecc.order.add.v1", "done")
    await until(lambda: runtime.metrics.handled[done] >= 200, "all orders are handled")


@promise("reconnects")
@pytest.mark.usefixtures("raw")
async def test_when_the_broker_is_short_of_memory_work_is_held_and_then_goes_on(bus: Bus, rabbitmq: RabbitNode) -> None:
    seen: list[str] = []

    def handle(message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
        seen.append(message.envelope.id)
        return route(message)

    runtime = await bus.run(
        bus.shop(), router(handle), service("ecc-orders"), service("magento-order-numbers"), heartbeat=1
    )
    bus.place(placed(1))
    await until(lambda: runtime.metrics.published["router", "ecc.order.add"] == 1, "the first order is routed")
    rabbitmq.raise_memory_alarm()
    try:
        bus.place(placed(2))
        await until(lambda: any("short of memory" in problem for problem in runtime.problems()), "it is noticed")
        await asyncio.sleep(3)
        assert runtime.metrics.published["router", "ecc.order.add"] == 1
    finally:
        rabbitmq.clear_memory_alarm()
    await until(lambda: runtime.metrics.published["router", "ecc.order.add"] == 2, "the second order is routed")
    await until(lambda: not runtime.problems(), "the service is ready again")


@promise("reconnects")
@pytest.mark.usefixtures("raw")
async def test_with_several_addresses_the_next_is_tried(bus: Bus) -> None:
    runtime = await bus.run(router(), url=f"amqp://127.0.0.1:{free_port()};{bus.url}")
    assert runtime.problems() == []


@promise("reconnects")
async def test_without_a_broker_the_start_ends_with_a_reason(bus: Bus) -> None:
    port = free_port()
    with pytest.raises(Outage, match=f"No broker answered at 127.0.0.1:{port}") as caught:
        await bus.run(router(), url=f"amqp://guest:secret@127.0.0.1:{port}", start_timeout=0.5)
    assert "secret" not in str(caught.value)


@promise("reconnects")
async def test_a_wrong_password_ends_the_start_at_once(bus: Bus, rabbitmq: RabbitNode) -> None:
    vhost = bus.url.rpartition("/")[2]
    with pytest.raises(Permanent, match="refused the user name or password") as caught:
        await bus.run(router(), url=rabbitmq.url(vhost, password="wrong-secret"))
    assert "wrong-secret" not in str(caught.value)


@promise("reconnects")
async def test_a_missing_virtual_host_ends_the_start_at_once(bus: Bus, rabbitmq: RabbitNode) -> None:
    with pytest.raises(Permanent, match="virtual host"):
        await bus.run(router(), url=rabbitmq.url("nowhere"))


@promise("reconnects")
async def test_the_connection_is_verified_by_tls(tls_rabbitmq: RabbitNode) -> None:
    bus = Bus(tls_rabbitmq.url(tls=True))
    sink: list[Message[Any]] = []

    def handle(message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        sink.append(message)
        return ()

    orders = Service(ORDERS, {m.AddSalesOrder: handle}, runs="threads", concurrency=4, prefetch=100)
    services = (bus.shop(), router(), orders, service("magento-order-numbers"))
    with pytest.raises(Outage, match="certificate"):
        await Bus(bus.url).run(*services, start_timeout=0.2)
    await bus.run(*services, ca_file=str(tls_rabbitmq.ca_file))
    bus.place(*(placed(number) for number in range(500)))
    await until(lambda: len(sink) >= 500, "all arrive")
    await bus.close()
    assert len(sink) == 500


# The topology


@promise("several processes")
async def test_an_event_that_no_queue_takes_though_one_should_is_not_taken_for_published(bus: Bus, raw: Raw) -> None:
    await bus.run(bus.shop(), service("ecc-orders"), service("magento-order-numbers"))
    raw.channel.queue_unbind(queue="orderbus.router", exchange="orderbus.events", routing_key="order.placed")
    bus.place(placed(1))
    await until(lambda: bus.refusals, "it is refused")
    assert "order.placed" in bus.refusals[0]
    bus.apply()
    await until(lambda: bus.confirmed == ["placed-1"], "it is published once the binding is back")
    assert raw.ready("orderbus.router") == 1


@promise("several processes")
async def test_when_a_queue_is_missing_behind_a_subscriber_of_everything_nothing_is_published(
    bus: Bus, raw: Raw
) -> None:
    """``mandatory`` does not help: the stranger's queue takes the event, and the router's is not there."""
    raw.channel.queue_declare(queue="stranger", durable=True, auto_delete=False)
    raw.channel.queue_bind(queue="stranger", exchange="orderbus.events", routing_key="#")
    runtime = await bus.run(bus.shop())
    bus.place(placed(1))
    await until(lambda: bus.confirmed == ["placed-1"], "the first order is placed")
    raw.channel.queue_delete(queue="orderbus.router")
    await until(lambda: any("orderbus.router is missing" in problem for problem in runtime.problems()), "noticed")
    bus.place(placed(2))
    await asyncio.sleep(0.5)
    assert bus.confirmed == ["placed-1"]
    assert raw.ready("stranger") == 1
    bus.apply()
    await until(lambda: bus.confirmed == ["placed-1", "placed-2"], "the second order is placed")
    assert raw.ready("orderbus.router") == 1


@promise("several processes")
async def test_a_service_whose_own_queue_is_deleted_declares_it_again(bus: Bus, raw: Raw) -> None:
    runtime = await bus.run(router())
    raw.channel.queue_delete(queue="orderbus.router")
    await until(runtime.problems, "it is noticed")
    await until(lambda: not runtime.problems(), "it is declared again")
    raw.publish(order_json())
    await until(lambda: raw.ready("orderbus.ecc-orders") == 1, "work goes on")


@promise("several processes")
async def test_intake_is_held_while_a_queue_further_down_is_missing(bus: Bus, raw: Raw) -> None:
    runtime = await bus.run(router())
    raw.channel.queue_delete(queue="orderbus.ecc-orders")
    await until(runtime.problems, "it is noticed")
    raw.publish(order_json())
    await asyncio.sleep(0.4)
    assert raw.ready("orderbus.router") == 1
    bus.apply()
    await until(lambda: raw.ready("orderbus.ecc-orders") == 1, "work goes on")


@promise("several processes")
async def test_a_user_who_may_not_configure_works_on_what_is_there(bus: Bus, raw: Raw, rabbitmq: RabbitNode) -> None:
    url = rabbitmq.add_user(f"router-{time.monotonic_ns()}", ("^$", "^orderbus.*", "^orderbus.*"), vhost=bus.url)
    runtime = await bus.run(router(), url=url)
    assert runtime.problems() == []
    raw.publish(order_json())
    await until(lambda: raw.ready("orderbus.ecc-orders") == 1, "it works")
    with pytest.raises(Permanent, match="may not declare"):
        topology.apply(bus.config(url=url), TABLE)


@promise("several processes")
async def test_a_user_who_may_not_configure_says_what_is_missing(bus: Bus, rabbitmq: RabbitNode) -> None:
    url = rabbitmq.add_user(f"router-{time.monotonic_ns()}", ("^$", "^orderbus.*", "^orderbus.*"), vhost=bus.url)
    runtime = await bus.run(router(), url=url)
    assert any("orderbus.router is missing" in problem for problem in runtime.problems())
    bus.apply()
    await until(lambda: not runtime.problems(), "it is ready once all is declared")
    raw = Raw(bus)
    raw.publish(order_json())
    await until(lambda: raw.ready("orderbus.ecc-orders") == 1, "it works")
    raw.close()


@promise("several processes")
async def test_a_queue_with_other_properties_is_an_error_that_names_it(bus: Bus) -> None:
    with topology.connect(bus.config()) as connection:
        connection.default_channel.queue_declare(queue="orderbus.router", durable=True, auto_delete=False)
    with pytest.raises(Permanent, match=r"orderbus\.router exists on the broker with other properties"):
        bus.apply()
    with pytest.raises(Permanent, match=r"orderbus\.router exists on the broker with other properties"):
        await bus.run(router())


@promise("several processes")
async def test_applying_the_topology_twice_changes_nothing(bus: Bus) -> None:
    config = bus.config()
    assert "orderbus.router" in topology.check(config, TABLE)
    lines = topology.apply(config, TABLE)
    assert topology.apply(config, TABLE) == lines
    assert "queue orderbus.router" in lines
    assert topology.check(config, TABLE) == []


def test_what_the_embedded_broker_does_not_promise_is_said() -> None:
    assert set(PROMISES) == set(NOT_PROMISED)
