"""What every broker under the bus must do: the same tests on RabbitMQ and on the embedded one."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from bus import poller, retry
from bus.service import Row, Service
from schemas import messages as m
from schemas.envelope import Message
from schemas.failures import Busy, Outage, Permanent, Transient
from tests.bus.conftest import Bus, until
from tests.bus.sample import NUMBERS, ORDERS, ROUTER, SHOP, TABLE, order, placed


def route(message: Message[m.OrderPlaced]) -> Sequence[m.Body]:
    return (m.AddSalesOrder(message.body.order, "0000012345"),)


def router() -> Service:
    return Service(ROUTER, {m.OrderPlaced: route}, runs="inline")


class Sink:
    """A last service: keeps what it receives, and fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.messages: list[Message[Any]] = []
        self.times: list[float] = []
        self.failures = list(failures)

    def __call__(self, message: Message[Any]) -> Sequence[m.Body]:
        self.messages.append(message)
        self.times.append(time.monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return ()


def orders(sink: Sink, **options: Any) -> Service:
    return Service(ORDERS, {m.AddSalesOrder: sink}, **({"runs": "threads"} | options))


def numbers() -> Service:
    return Service(NUMBERS, {m.OrderSynced: lambda _: ()})


async def test_a_message_leads_to_a_message(any_bus: Bus) -> None:
    sink = Sink()
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink), numbers())
    assert runtime.problems() == []
    any_bus.place(placed(1))
    await until(lambda: sink.messages, "the order arrives")
    [message] = sink.messages
    assert message.body.order == order(1)
    assert message.attempt == 1
    envelope = message.envelope
    assert envelope.type == "orderbus.ecc.order.add.v1"
    assert envelope.source == "/orderbus/router"
    assert envelope.correlation_id == "order-1"
    assert envelope.causation_id == "placed-1"
    assert envelope.subject == "000000001"
    assert any_bus.confirmed == ["placed-1"]


async def test_thousands_of_messages_arrive_once_each(any_bus: Bus) -> None:
    sink = Sink()
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink, concurrency=4, prefetch=100), numbers())
    any_bus.place(*(placed(number) for number in range(3000)))
    await until(lambda: len(sink.messages) >= 3000, "all arrive")
    await runtime.stop()
    assert sorted(int(message.body.order.ref.order_id) for message in sink.messages) == list(range(3000))


async def test_coroutine_handlers_run_side_by_side_up_to_the_concurrency(any_bus: Bus) -> None:
    together = most = 0
    gate = asyncio.Event()

    async def handle(_message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await gate.wait()
        together -= 1
        return ()

    service = Service(ORDERS, {m.AddSalesOrder: handle}, concurrency=3, prefetch=10)
    runtime = await any_bus.run(any_bus.shop(), router(), service, numbers())
    any_bus.place(*(placed(number) for number in range(8)))
    await until(lambda: together == 3, "three run")
    gate.set()
    handled = ("ecc-orders", "orderbus.ecc.order.add.v1", "done")
    await until(lambda: runtime.metrics.handled[handled] == 8, "all are handled")
    assert most == 3


async def test_when_a_handler_fails_transiently_it_is_tried_again_after_growing_delays(any_bus: Bus) -> None:
    sink = Sink(Transient("Busy.", "Wait."), Transient("Busy.", "Wait."))
    await any_bus.run(any_bus.shop(), router(), orders(sink), numbers())
    any_bus.place(placed(1))
    await until(lambda: len(sink.messages) == 3, "the third attempt")
    assert [message.attempt for message in sink.messages] == [1, 2, 3]
    assert len({each.envelope.id for each in sink.messages}) == 1
    assert {message.envelope.correlation_id for message in sink.messages} == {"order-1"}
    first, second, third = sink.times
    assert second - first > 0.9
    assert third - second > 1.9


async def test_when_the_other_side_asks_for_time_it_gets_it(any_bus: Bus) -> None:
    sink = Sink(Transient("Busy.", "Wait.", retry_after=1.5))
    await any_bus.run(any_bus.shop(), router(), orders(sink), numbers())
    any_bus.place(placed(1))
    await until(lambda: len(sink.messages) == 2, "the second attempt")
    assert sink.times[1] - sink.times[0] > 1.5


async def test_who_waits_for_somebody_else_comes_back_within_seconds_and_uses_up_no_attempt(any_bus: Bus) -> None:
    sink = Sink(Transient("Once.", "Wait."), *(Busy("Locked.", "Wait.") for _ in range(4)))
    runtime = await any_bus.run(
        any_bus.shop(), router(), orders(sink), numbers(), max_attempts=2, retry_delays=(1, 600)
    )
    any_bus.place(placed(1))
    await until(lambda: len(sink.messages) == 6, "it comes back each time")
    assert [message.attempt for message in sink.messages] == [1, 2, 2, 2, 2, 2]
    assert runtime.metrics.dead.total() == 0


async def test_who_waits_for_somebody_else_for_long_is_given_up_like_any_other(
    any_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MOST_WAITS", 2)
    sink = Sink(*(Busy("Locked.", "Wait.") for _ in range(9)))
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink), numbers(), max_attempts=2)
    any_bus.place(placed(1))
    await until(lambda: runtime.metrics.dead["ecc-orders", "retries-exhausted"] == 1, "it is dead-lettered")
    assert [message.attempt for message in sink.messages] == [1, 1, 1, 2]


async def test_many_who_need_the_same_lock_all_get_it(any_bus: Bus) -> None:
    lock = threading.Lock()

    def handle(message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        attempts.add(message.attempt)
        if not lock.acquire(blocking=False):
            raise Busy("Locked.", "Wait.")
        try:
            time.sleep(0.02)
        finally:
            lock.release()
        return ()

    attempts: set[int] = set()
    service = Service(ORDERS, {m.AddSalesOrder: handle}, runs="threads", concurrency=4)
    runtime = await any_bus.run(any_bus.shop(), router(), service, numbers())
    any_bus.place(*(placed(number) for number in range(20)))
    done = ("ecc-orders", "orderbus.ecc.order.add.v1", "done")
    await until(lambda: runtime.metrics.handled[done] == 20, "all are handled")
    assert runtime.metrics.retries["ecc-orders"]
    assert attempts == {1}


async def test_when_attempts_are_exhausted_the_message_is_dead_lettered(any_bus: Bus) -> None:
    sink = Sink(*(Transient("Busy.", "Wait.") for _ in range(9)))
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink), numbers(), max_attempts=2)
    any_bus.place(placed(1))
    dead = ("ecc-orders", "retries-exhausted")
    await until(lambda: runtime.metrics.dead[dead] == 1, "it is dead-lettered")
    assert len(sink.messages) == 2


async def test_when_a_failure_is_permanent_the_message_is_dead_lettered_at_once(any_bus: Bus) -> None:
    sink = Sink(Permanent("The material does not exist.", "Create it."))
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink), numbers())
    any_bus.place(placed(1), placed(2))
    await until(lambda: runtime.metrics.dead["ecc-orders", "permanent"] == 1, "it is dead-lettered")
    await until(lambda: len(sink.messages) == 2, "the other one is handled")


async def test_when_a_handler_has_a_defect_its_message_is_dead_lettered_after_few_attempts(any_bus: Bus) -> None:
    sink = Sink(*(KeyError("jane@acme.example") for _ in range(9)))
    runtime = await any_bus.run(any_bus.shop(), router(), orders(sink), numbers(), bug_attempts=2)
    any_bus.place(placed(1))
    await until(lambda: runtime.metrics.dead["ecc-orders", "bug"] == 1, "it is dead-lettered")
    assert len(sink.messages) == 2


async def test_when_a_handler_returns_what_its_row_does_not_publish_it_is_a_defect(any_bus: Bus) -> None:
    def handle(_message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        return (m.OrderPlaced(order(1)),)

    service = Service(ORDERS, {m.AddSalesOrder: handle}, runs="threads")
    runtime = await any_bus.run(any_bus.shop(), router(), service, numbers(), bug_attempts=1)
    any_bus.place(placed(1))
    await until(lambda: runtime.metrics.dead["ecc-orders", "bug"] == 1, "it is dead-lettered")


async def test_an_unroutable_command_is_tried_again_and_never_taken_for_sent(any_bus: Bus) -> None:
    table = (ROUTER, SHOP)
    runtime = await any_bus.run(any_bus.shop(), router(), table=table, max_attempts=2)
    unbind_orders(any_bus)
    any_bus.place(placed(1))
    await until(lambda: runtime.metrics.retries["router"] == 1, "it is tried again")
    await until(lambda: runtime.metrics.dead["router", "retries-exhausted"] == 1, "it is given up")
    assert runtime.metrics.published["router", "ecc.order.add"] == 0


async def test_an_event_that_no_service_takes_may_go_nowhere(any_bus: Bus) -> None:
    def handle(message: Message[m.OrderSynced]) -> Sequence[m.Body]:
        return (m.OrderAcknowledged(message.body.ref, message.body.sales_order),)

    def synced(message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        return (m.OrderSynced(message.body.order.ref, "0000000001", "0000012345"),)

    runtime = await any_bus.run(
        any_bus.shop(),
        router(),
        Service(ORDERS, {m.AddSalesOrder: synced}, runs="threads"),
        Service(NUMBERS, {m.OrderSynced: handle}),
    )
    any_bus.place(placed(1))
    handled = ("magento-order-numbers", "orderbus.order.synced.v1", "done")
    await until(lambda: runtime.metrics.handled[handled] == 1, "it is handled")


async def test_an_outage_stops_the_intake_and_uses_up_no_attempt(any_bus: Bus) -> None:
    down = True
    seen: list[Message[Any]] = []

    def handle(message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        seen.append(message)
        if down:
            raise Outage("ECC is down.", "Start it.")
        return ()

    service = Service(ORDERS, {m.AddSalesOrder: handle}, runs="threads", concurrency=2)
    runtime = await any_bus.run(any_bus.shop(), router(), service, numbers(), breaker_delays=(0.3, 0.6))
    any_bus.place(*(placed(number) for number in range(20)))
    await until(lambda: len(seen) >= 4, "it is tried now and then")
    assert runtime.metrics.circuits["ecc-orders"]
    calls_while_down = len(seen)
    down = False
    done = ("ecc-orders", "orderbus.ecc.order.add.v1", "done")
    await until(lambda: runtime.metrics.handled[done] == 20, "all are handled")
    assert calls_while_down < 10
    assert {message.attempt for message in seen} == {1}
    assert not runtime.metrics.circuits["ecc-orders"]
    assert runtime.metrics.dead.total() == 0


async def test_a_system_that_is_back_sooner_than_it_said_is_not_left_waiting(any_bus: Bus) -> None:
    sink = Sink(Outage("Maintenance.", "Wait.", retry_after=3600.0))
    await any_bus.run(any_bus.shop(), router(), orders(sink), numbers())
    any_bus.place(placed(1))
    await until(lambda: len(sink.messages) == 2, "it is tried again")


async def test_a_poll_goes_on_soon_after_an_outage_of_unknown_length(
    any_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "_LONGEST_PAUSE", 0.2)
    calls = 0

    async def poll(_publish: Any) -> float:
        nonlocal calls
        calls += 1
        raise Outage("Maintenance.", "Wait.", retry_after=3600.0)

    await any_bus.run(Service(SHOP, {}, poll=poll), router(), orders(Sink()), numbers())
    await until(lambda: calls >= 4, "it is tried again and again")


async def test_a_graceful_stop_finishes_what_is_in_hand(any_bus: Bus) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def handle(message: Message[m.AddSalesOrder]) -> Sequence[m.Body]:
        begun.set()
        await finish.wait()
        return (m.OrderSynced(message.body.order.ref, "0000000001", "0000012345"),)

    service = Service(ORDERS, {m.AddSalesOrder: handle})
    runtime = await any_bus.run(any_bus.shop(), router(), service, numbers())
    any_bus.place(placed(1))
    await begun.wait()
    stopping = asyncio.create_task(runtime.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    finish.set()
    await stopping
    assert runtime.metrics.handled["ecc-orders", "orderbus.ecc.order.add.v1", "done"] == 1
    assert runtime.metrics.published["ecc-orders", "order.synced"] == 1
    assert runtime.problems()


async def test_a_poll_that_fails_is_followed_by_another(any_bus: Bus) -> None:
    calls = 0

    async def poll(publish: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Transient("The shop is down.", "Start it.")
        if calls == 2:
            raise ValueError("unexpected")
        await publish([placed(1)])
        return 3600.0

    sink = Sink()
    runtime = await any_bus.run(Service(SHOP, {}, poll=poll), router(), orders(sink), numbers())
    await until(lambda: sink.messages, "the order arrives")
    assert runtime.metrics.poll_failures["magento-orders"] == 2


async def test_nothing_is_ready_while_a_service_of_the_table_is_nowhere(any_bus: Bus) -> None:
    extra = (*TABLE, Row("auditor", consumes=(m.OrderPlaced,)))
    runtime = await any_bus.run(any_bus.shop(), router(), orders(Sink()), numbers(), table=extra)
    any_bus.place(placed(1))
    assert any("orderbus.auditor" in problem for problem in runtime.problems())
    await asyncio.sleep(0.5)
    assert any_bus.confirmed == []


def unbind_orders(bus: Bus) -> None:
    """Take the orders' queue away from the commands; embedded it was never bound."""
    from bus import topology  # noqa: PLC0415

    if bus.url.startswith("memory"):
        return
    with topology.connect(bus.config()) as connection:
        connection.default_channel.queue_unbind(
            queue="orderbus.ecc-orders", exchange="orderbus.commands", routing_key="ecc.order.add"
        )
