"""Whatever arrives as a message ends as a message handled, or as a failure that says why."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.ecc.customers import register_customers
from adapters.ecc.holds import hold_orders
from adapters.ecc.mapping.sales_order import create_parameters
from adapters.ecc.sessions import Sessions
from bus import codec, retry
from bus import headers as h
from bus.config import BrokerConfig
from bus.frames import Incoming
from orderbus.services import ROUTER, TABLE
from router.policy import RoutingPolicy
from router.rules import decide
from schemas import messages as m
from schemas.envelope import Message
from schemas.failures import Failure
from schemas.order import Component, Option
from schemas.topics import TOPIC_NAMED, TOPIC_OF
from tests.bus.sample import order
from tests.ecc.examples import CONFIG, customer
from tests.ecc.examples import order as ecc_order
from tests.hardening.fuzzing import changed_in, clear, fuzzed, mutated

MOST = 4_000_000
POLICY = RoutingPolicy(default_customer="99999", customer_is="company")
EVERYTHING = frozenset(TOPIC_NAMED)
REGISTRATION = m.Registration("0000012345", "0000000077")
JSON = msgspec.json.Encoder(decimal_format="string")


def builtin(body: m.Body) -> Any:
    """Return a body as JSON's own types."""
    return msgspec.json.decode(JSON.encode(body))


PLACED = builtin(m.OrderPlaced(order(1), REGISTRATION))
HEADERS = {
    "cloudEvents_specversion": "1.0",
    "cloudEvents_id": "one",
    "cloudEvents_source": "/tests",
    "cloudEvents_type": "orderbus.order.placed.v1",
    "cloudEvents_time": "2026-11-23T03:00:00Z",
    "cloudEvents_subject": "default/000000001",
    "cloudEvents_correlationid": "default-000000001",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    "tracestate": "vendor=1",
    "orderbus-attempts": 2,
}


def properties(headers: Mapping[str, Any]) -> bytes:
    """Return raw properties with headers of whatever AMQP types fit."""
    fields: h.Fields = {}
    for name, value in headers.items():
        octets = name.encode(errors="replace")[:255]
        if isinstance(value, str):
            fields[octets] = h.text(value)
        elif isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
            fields[octets] = h.number(value)
        elif isinstance(value, bool):
            fields[octets] = b"t" + bytes([value])
        else:
            fields[octets] = b"V"
    return h.properties(h.table(fields), content_type="application/json", message_id="one", correlation_id="c")


def incoming(raw: bytes, body: bytes) -> Incoming:
    return Incoming(1, "orderbus.events", "order.placed", raw, body, redelivered=True)


def settled(message: Incoming, most: int = MOST) -> Message[Any] | None:
    """Decode a message; where that fails, check that it can be given up, and return none."""
    try:
        return codec.decode(message, EVERYTHING, most)[0]
    except codec.Unreadable as unreadable:
        failure = clear(unreadable)
    verdict = retry.judge(message, ROUTER, failure, BrokerConfig())
    assert verdict.dead in {"undecodable", "unknown-type", "too-large"}
    return None


@fuzzed(300)
@given(raw=st.binary(max_size=200), body=st.binary(max_size=200))
def test_noise(raw: bytes, body: bytes) -> None:
    settled(incoming(raw, body))
    retry.defer(incoming(raw, body), ROUTER, BrokerConfig())


@fuzzed(200)
@given(data=st.data())
def test_properties_with_octets_changed(data: st.DataObject) -> None:
    raw = bytearray(properties(HEADERS))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for each in (bytes(raw), bytes(raw[:cut])):
        settled(incoming(each, JSON.encode(PLACED)))
        retry.defer(incoming(each, b"{}"), ROUTER, BrokerConfig())


@fuzzed(300)
@given(headers=mutated(HEADERS, most=4))
def test_headers(headers: Any) -> None:
    headers = headers if isinstance(headers, dict) else {}
    message = settled(incoming(properties(headers), JSON.encode(PLACED)))
    if message is None:
        return
    # What was read is published on: it must be of a form that the next service reads as well.
    encoder = codec.Encoder(ROUTER, TABLE, MOST)
    for outgoing in encoder.caused(message.envelope, decide(POLICY, message.body)):
        again = settled(incoming(outgoing.properties, outgoing.body))
        assert again is not None
        assert again.envelope.correlation_id == message.envelope.correlation_id


@fuzzed(300)
@given(body=mutated(PLACED))
def test_orders_at_the_router(body: Any) -> None:
    message = settled(incoming(properties(HEADERS), JSON.encode(body)))
    if message is None:
        return
    encoder = codec.Encoder(ROUTER, TABLE, MOST)
    try:
        outputs = encoder.caused(message.envelope, decide(POLICY, message.body))
    except Failure as failure:
        clear(failure)
        return
    for outgoing in outputs:
        settled(incoming(outgoing.properties, outgoing.body))


def ask_nothing(*_: object, **__: object) -> Any:
    """Stand in for an ECC session that a message must not get as far as."""
    raise Failure("ECC was called.", "This is as far as the message goes here.")


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(ask_nothing, size=1, wait_seconds=1)


def handle(handler: Any, body: m.Body, changed: Any) -> None:
    """Give a handler a body with changes, as far as it can be decoded."""
    raw = properties(HEADERS | {"cloudEvents_type": TOPIC_OF[type(body)].type_name})
    message = settled(incoming(raw, JSON.encode(changed)))
    if message is None:
        return
    try:
        handler(message)
    except Failure as failure:
        clear(failure)


PARTS = {
    "options": (Option("custom option 1", "Zoë"),),
    "components": (Component("22", "MUG-01-RED", "Mug", Decimal(2)),),
}
WHOLE = ecc_order(comment="Ring twice.", coupon_code="SALE")
ADD = m.AddSalesOrder(replace(WHOLE, items=tuple(replace(item, **PARTS) for item in WHOLE.items)), "0000010001")
HOLD = m.HoldOrder(ecc_order().ref, customer(), ecc_order().placed_at)
REGISTER = m.RegisterCustomer(customer(), "erika@example.com")


@fuzzed(500)
@given(changed=mutated(builtin(ADD)))
@example(changed=changed_in(builtin(ADD), "0001-01-01T00:00:00+14:00", "order", "placed_at"))
@example(changed=changed_in(builtin(ADD), "1E+999999999999", "order", "items", 0, "components", 0, "quantity"))
@example(changed=changed_in(builtin(ADD), "NaN", "order", "totals", "net"))
def test_orders_for_ecc(changed: Any) -> None:
    def add(message: Message[m.AddSalesOrder]) -> object:
        command = message.body
        return create_parameters(command.order, command.sap_customer_number, command.contact_person, CONFIG)

    handle(add, ADD, changed)


@fuzzed(100)
@given(changed=mutated(builtin(HOLD)))
@example(changed=changed_in(builtin(HOLD), "0001-01-01T00:00:00+14:00", "placed_at"))
def test_orders_to_hold(sessions: Sessions, changed: Any) -> None:
    handle(hold_orders(sessions, CONFIG), HOLD, changed)


@fuzzed(100)
@given(changed=mutated(builtin(REGISTER)))
def test_customers_to_register(sessions: Sessions, changed: Any) -> None:
    handle(register_customers(sessions, CONFIG), REGISTER, changed)
