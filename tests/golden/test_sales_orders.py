"""Every recorded order of the real shop is mapped, adds up, and makes the call that its golden file shows.

``ORDERBUS_WRITE_GOLDEN=1 pytest tests/golden`` writes the files again; read the difference before keeping it.
"""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.ecc.mapping.sales_order import FUNCTION, Parameters, create_parameters
from adapters.ecc.orders import add_sales_orders
from adapters.ecc.sessions import Sessions
from adapters.magento.config import StoreView
from adapters.magento.mapping import order_of
from adapters.magento.rest_types import OrderJson
from schemas.order import Order
from tests.ecc.conftest import Ecc
from tests.ecc.examples import CONFIG, add, handled
from tests.golden.rendering import rendered

RECORDINGS = Path(__file__).parent.parent / "recordings" / "magento"
GOLDEN = Path(__file__).parent / "sales_orders"
STORES = {
    1: StoreView(code="default", website="1"),
    2: StoreView(code="b2b_en", website="2"),
    3: StoreView(code="fr", website="1"),
}
PRODUCT_SKUS = {"8": "OPT-01"}
"""The product whose custom option changed the item's SKU."""
SOLD_TO, CONTACT = "10001", "7"
WRITE = bool(os.environ.get("ORDERBUS_WRITE_GOLDEN"))


def recorded_orders() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((RECORDINGS / "orders").glob("*.json")):
        yield path.stem, json.loads(path.read_text(), parse_float=Decimal)["response"]["body"]
    listed = json.loads((RECORDINGS / "search" / "02_empty_criteria.json").read_text(), parse_float=Decimal)
    for body in listed["response"]["body"]["items"]:
        yield f"search_{body['entity_id']:02}", body


ORDERS = dict(recorded_orders())


def canonical(body: dict[str, Any]) -> Order:
    order = msgspec.convert(body, OrderJson)
    return order_of(
        order,
        STORES[body["store_id"]],
        None,
        sap_customer_number="sap_customer_number",
        product_skus=PRODUCT_SKUS,
    )


def conditions(call: Parameters, *types: str) -> Decimal:
    rows = call["ORDER_CONDITIONS_IN"]
    assert isinstance(rows, list)
    return sum((Decimal(row["COND_VALUE"]) for row in rows if row["COND_TYPE"] in types), Decimal(0))


@pytest.mark.parametrize("name", ORDERS)
def test_the_call_is_the_one_in_the_golden_file(name: str) -> None:
    body = ORDERS[name]
    order = canonical(body)
    about = {
        "recording": name,
        "order": f"{body['increment_id']}, store {order.ref.store}",
        "grand total": f"{body['grand_total']} {order.currency}",
        "tax": body["tax_amount"],
    }
    text = rendered(FUNCTION, create_parameters(order, SOLD_TO, CONTACT, CONFIG), about)
    path = GOLDEN / f"{name}.txt"
    if WRITE:
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", ORDERS)
def test_the_conditions_add_up_to_what_the_shop_shows(name: str) -> None:
    """Compared with Magento's own numbers, not with the canonical order's."""
    body = ORDERS[name]
    call = create_parameters(canonical(body), SOLD_TO, CONTACT, CONFIG)
    tax = Decimal(body["tax_amount"])
    assert conditions(call, "PR00", "RB00", "HD00") == Decimal(body["grand_total"]) - tax
    assert conditions(call, "ZTAX") == tax


def test_ecc_prices_every_order_as_the_shop_does(ecc: Ecc, sessions: Sessions) -> None:
    """Through the whole handler; one order of the list and its own recording are the same order."""
    handle = add_sales_orders(sessions, ecc.configure(), lambda _key, _number: None)
    for body in ORDERS.values():
        handled(handle, add(canonical(body), SOLD_TO))
    written = {order["purch_no_c"]: order for order in ecc.sales_orders()}
    for body in ORDERS.values():
        found = written[f"{STORES[body['store_id']].code}-{body['increment_id']}"]
        assert Decimal(found["net_value"]) == Decimal(body["grand_total"]) - Decimal(body["tax_amount"])
        assert Decimal(found["tax_amount"]) == Decimal(body["tax_amount"])
        assert found["currency"] == body["order_currency_code"]


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(ORDERS)


def test_the_recordings_hold_every_kind_of_order() -> None:
    orders = [canonical(body) for body in ORDERS.values()]
    kinds = {item.product_type for order in orders for item in order.items}
    assert {"simple", "configurable", "bundle", "virtual"} <= kinds
    assert {order.currency for order in orders} == {"EUR", "USD"}
    assert any(order.is_virtual for order in orders)
    assert any(item.discount_net for order in orders for item in order.items)
    assert any(order.payment.purchase_order_number for order in orders)
