"""Messages as they stand on the wire, and what each process tells Prometheus."""

import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.topics import COMMANDS, EVENTS, TOPICS
from tests.flow.buying import buy_one, prospect
from tests.flow.conftest import Run, Running
from tests.flow.wire import Seen, of_order
from tests.processes import wait_until
from tests.stack import net_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
PERSON = ("jane1", "Jane", "Prospect1", "Company1", "Am Markt")


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({}) as running:
        buy_one(running.stack.shop_url, prospect(1))
        running.wire.wait("order.acknowledged")
        running.wire.wait("order.cleared")
        yield running


@pytest.fixture(scope="module")
def messages(system: Running) -> list[Seen]:
    return system.wire.seen()


def test_one_order_sends_every_message_but_the_withdrawal(messages: list[Seen]) -> None:
    expected = {(topic.exchange, topic.routing_key) for topic in TOPICS} - {(EVENTS, "order.withdrawn")}
    assert {(one.exchange, one.key) for one in messages} == expected


def test_every_message_is_a_cloud_event(messages: list[Seen]) -> None:
    for one in messages:
        headers = one.headers
        assert headers["cloudEvents_specversion"] == "1.0"
        assert headers["cloudEvents_type"] == f"orderbus.{one.key}.v1"
        assert re.fullmatch(r"/orderbus/[a-z-]+", headers["cloudEvents_source"])
        assert headers["cloudEvents_dataschema"] == f"urn:orderbus:schema:orderbus.{one.key}.v1"
        assert TIME.fullmatch(headers["cloudEvents_time"])
        assert abs((datetime.now(UTC) - datetime.fromisoformat(headers["cloudEvents_time"])).total_seconds()) < 600
        assert headers["cloudEvents_id"] == one.properties["message_id"]
        assert headers["cloudEvents_correlationid"] == one.properties["correlation_id"]
        assert one.properties["content_type"] == "application/json"
        assert one.properties["delivery_mode"] == 2
        assert one.exchange == (COMMANDS if headers["cloudEvents_source"] == "/orderbus/router" else EVENTS)


def test_messages_say_what_led_to_them(messages: list[Seen]) -> None:
    by_id = {one.headers["cloudEvents_id"]: one for one in messages}
    assert len(by_id) == len(messages)
    for one in messages:
        cause = one.headers.get("cloudEvents_causationid")
        if cause is None:
            assert one.key in {"order.placed", "customer.registered"}, "only pollers publish without a cause"
        else:
            assert cause in by_id


def test_the_order_can_be_followed(system: Running, messages: list[Seen]) -> None:
    number = system.stack.orders()[0]["increment_id"]
    about = [one for one in messages if of_order(number)(one.body)]
    assert {one.key for one in about} >= {"order.placed", "order.held", "order.released", "order.synced"}
    assert {one.headers["cloudEvents_subject"] for one in about} == {f"default/{number}"}
    assert {one.headers["cloudEvents_correlationid"] for one in about} == {f"default-{number}"}


def test_a_trace_goes_on_from_hop_to_hop(system: Running, messages: list[Seen]) -> None:
    placed = next(one for one in messages if "release" in one.body)
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    traced = replace(placed, headers={**placed.headers, "traceparent": f"00-{trace}-{span}-01", "tracestate": "a=1"})
    system.wire.publish(traced, identifier="traced")

    def hops() -> list[Seen]:
        return [one for one in system.wire.seen() if trace in one.headers.get("traceparent", "")]

    keys = {"order.placed", "ecc.order.add", "order.synced", "order.cleared", "order.acknowledged"}
    wait_until(lambda: {one.key for one in hops()} == keys, "the trace reaches the end")
    parents = [one.headers["traceparent"].split("-") for one in hops()]
    assert len({parent for _, _, parent, _ in parents}) == len(hops()), "each hop has a span of its own"
    assert {one.headers["tracestate"] for one in hops()} == {"a=1"}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def test_money_is_decimal_text_and_times_are_utc(system: Running, messages: list[Seen]) -> None:
    for one in messages:
        for name, value in leaves(one.body):
            assert not isinstance(value, float), (one.key, name)
            if name.endswith("_at"):
                assert TIME.fullmatch(value), (one.key, name, value)
            if name in {"net", "tax", "gross", "quantity", "credit_limit", "unit_price_net", "tax_percent"}:
                assert NUMBER.fullmatch(value), (one.key, name, value)
    placed = next(one.body["order"] for one in messages if one.key == "order.placed")
    (order,) = system.stack.orders()
    assert Decimal(placed["totals"]["net"]) == net_of(order)
    assert placed["currency"] == "EUR"


def test_bodies_are_what_the_schemas_say(messages: list[Seen]) -> None:
    topics = {topic.routing_key: topic for topic in TOPICS}
    for one in messages:
        decoded = msgspec.json.decode(one.raw, type=topics[one.key].body)
        assert msgspec.json.Encoder(decimal_format="string").encode(decoded) == one.raw


def test_metrics_follow_the_conventions_and_name_nobody(system: Running) -> None:
    names: dict[str, str] = {}
    for process, port in system.stack.http_ports.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        names |= {name: kind for name, kind in families.items() if name.startswith("orderbus_")}
        samples = "\n".join(line for line in text.splitlines() if line.startswith("orderbus_"))
        assert samples, process
        assert not [one for one in PERSON if one in samples], process
        assert "000000001" not in samples
        assert "_milliseconds" not in samples
    for name, kind in names.items():
        assert kind != "counter" or name.endswith("_total"), name
        assert not name.endswith("_total") or kind == "counter", name
        assert kind != "histogram" or name.endswith("_seconds"), name
    assert {"orderbus_messages_handled_total", "orderbus_handler_duration_seconds"} <= set(names)


def test_logs_are_silent_in_normal_operation(system: Running) -> None:
    for name, server in system.stack.processes.items():
        if name not in {"magento", "ecc"}:
            assert server.tail() == "", name


def test_check_finds_everything_that_a_running_system_needs(system: Running) -> None:
    said = system.stack.run("check")
    assert "every exchange and queue is there" in said
    for name in ("sap_customer_number", "sap_credit_limit", "Z_ORDERBUS_PENDING_GET", "has every migration"):
        assert name in said
    assert "NO " not in said
