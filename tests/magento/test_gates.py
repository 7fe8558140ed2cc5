"""Gates by state, status and payment, as a table."""

from typing import Any

import msgspec
import pytest

from adapters.magento.config import Bearer, Gate, MagentoConfig
from adapters.magento.gates import closed_gate, numbered
from adapters.magento.rest_types import OrderJson, PaymentJson

ORDER = OrderJson(
    entity_id=1,
    updated_at="2026-11-23 03:00:00",
    created_at="2026-11-23 03:00:00",
    state="new",
    status="pending",
    grand_total="10",
    base_grand_total="9",
    total_due="10",
    payment=PaymentJson(method="checkmo"),
)


def order(**fields: Any) -> OrderJson:
    return msgspec.convert(msgspec.to_builtins(ORDER) | fields, OrderJson)


def config(**settings: Any) -> MagentoConfig:
    return MagentoConfig(url="http://shop.example", auth=Bearer(token="t"), **settings)


@pytest.mark.parametrize(
    ("gate", "fields", "ready"),
    [
        ("always", {}, True),
        ("never", {"total_due": 0}, False),
        ("paid", {}, False),
        ("paid", {"total_due": 0.01}, False),
        ("paid", {"total_due": 0}, True),
        ("paid", {"total_due": None, "grand_total": 0}, True),
        ("paid", {"total_due": None, "grand_total": None}, False),
        ("authorized", {}, False),
        ("authorized", {"total_due": 0}, True),
        ("authorized", {"payment": {"method": "checkmo", "amount_authorized": 10}}, True),
        ("authorized", {"payment": {"method": "checkmo", "amount_authorized": 9.99}}, False),
        ("authorized", {"payment": {"method": "checkmo", "base_amount_authorized": 9}}, True),
        ("authorized", {"payment": None}, False),
    ],
)
def test_payment_gates(gate: Gate, fields: dict[str, Any], ready: bool) -> None:
    for settings in ({"payment_gate": gate}, {"payment_gates": {"checkmo": gate, "": gate}}):
        skip = closed_gate(order(**fields), config(**settings))
        assert (skip is None) == ready
        if skip is not None:
            assert (skip.reason, gate in skip.detail) == ("payment", True)


def test_a_gate_is_its_methods_own() -> None:
    assert closed_gate(ORDER, config(payment_gates={"banktransfer": "never"})) is None


@pytest.mark.parametrize("state", ["pending_payment", "payment_review", "holded", "canceled", "closed", "", None])
def test_states_that_are_not_taken(state: str | None) -> None:
    skip = closed_gate(order(state=state), config())
    assert skip is not None
    assert skip.reason == "state"


def test_statuses_narrow_the_states() -> None:
    assert closed_gate(ORDER, config(statuses=("pending",))) is None
    skip = closed_gate(ORDER, config(statuses=("released",)))
    assert skip is not None
    assert (skip.reason, skip.detail) == ("status", "status is pending")


def test_an_order_with_a_number_is_not_taken() -> None:
    assert numbered(ORDER) is None
    skip = numbered(order(ext_order_id="0000012345"))
    assert skip is not None
    assert (skip.reason, skip.detail) == ("numbered", "ext_order_id is 0000012345")
