"""Recorded orders, mapped: totals to the cent, every part where it belongs; and what cannot be an order is refused."""

import copy
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.magento.config import StoreView
from adapters.magento.mapping import UnreadableError, order_of
from adapters.magento.rest_types import CustomerJson, OrderJson
from schemas.order import Component, Option, Order
from tests.magento.recordings import as_order, body, recorded_orders

STORE = StoreView(code="default", website="1")
ORDERS = recorded_orders()
CENT = Decimal("0.01")


def mapped(document: dict[str, Any], account: CustomerJson | None = None, **options: Any) -> Order:
    return order_of(as_order(document), STORE, account, sap_customer_number="sap_customer_number", **options)


def account_with(**fields: Any) -> CustomerJson:
    return msgspec.convert({**body("customers/get"), **fields}, CustomerJson)


def test_all_recorded_orders_are_there() -> None:
    assert len(ORDERS) == 25
    types = {item["product_type"] for order in ORDERS.values() for item in order["items"]}
    assert types == {"simple", "virtual", "configurable", "bundle"}
    assert {order["order_currency_code"] for order in ORDERS.values()} == {"EUR", "USD"}


@pytest.mark.parametrize("name", ORDERS)
def test_totals_agree_to_the_cent(name: str) -> None:
    shown, order = ORDERS[name], mapped(ORDERS[name])
    totals = order.totals
    assert totals.gross == Decimal(str(shown["grand_total"]))
    assert totals.tax == Decimal(str(shown["tax_amount"]))
    assert totals.base_gross == Decimal(str(shown["base_grand_total"]))
    assert totals.net + totals.tax == totals.gross
    assert sum(item.gross for item in order.items) + order.shipping.gross == totals.gross
    assert sum(item.tax for item in order.items) + order.shipping.tax == totals.tax
    assert sum(item.net for item in order.items) + order.shipping.net == totals.net
    assert sum(item.discount_gross for item in order.items) + order.shipping.discount_gross == totals.discount_gross
    assert totals.discount_gross == -Decimal(str(shown["discount_amount"]))


@pytest.mark.parametrize("name", ORDERS)
def test_lines_agree_with_their_unit_prices_and_the_subtotal(name: str) -> None:
    shown, order = ORDERS[name], mapped(ORDERS[name])
    for item in order.items:
        assert item.net + item.tax == item.gross
        assert abs(item.unit_price_net * item.quantity - item.discount_net - item.net) < CENT
        assert abs(item.unit_price_gross * item.quantity - item.discount_gross - item.gross) < CENT
    assert sum(item.net + item.discount_net for item in order.items) == Decimal(str(shown["subtotal"]))


@pytest.mark.parametrize("name", ORDERS)
def test_survives_the_wire(name: str) -> None:
    order = mapped(ORDERS[name])
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


def test_a_coupon_of_gross_prices_is_split_into_net_and_tax() -> None:
    mug = mapped(ORDERS["orders/get_coupon"]).items[0]
    assert (mug.gross, mug.tax, mug.net) == (Decimal("32.7"), Decimal("5.22"), Decimal("27.48"))
    assert (mug.discount_gross, mug.discount_net) == (Decimal(3), Decimal("2.52"))


def test_a_registered_buyer() -> None:
    order = mapped(ORDERS["orders/get_registered"], account_with())
    assert order.buyer.key == "1:1"
    assert order.buyer.account_id == "1"
    assert order.buyer.company == "Müller GmbH & Co. KG"
    assert order.buyer.vat_id == "DE123456789"
    assert order.buyer.sap_customer_number == ""
    assert order.placed_at.isoformat() == "2026-11-23T02:48:15+00:00"
    assert order.billing.street == ("Hauptstraße 5", "Hinterhaus")
    assert (order.billing.region, order.billing.region_code) == ("Bayern", "BAY")
    assert order.delivery is not None


@pytest.mark.parametrize(("stored", "number"), [("100001", "0000100001"), (100001, "0000100001"), ("CUST-A", "CUST-A")])
def test_the_customer_number_is_padded(stored: object, number: str) -> None:
    attribute = {"attribute_code": "sap_customer_number", "value": stored}
    order = mapped(ORDERS["orders/get_registered"], account_with(custom_attributes=[attribute]))
    assert order.buyer.sap_customer_number == number


def test_an_account_is_known_by_its_own_website_and_current_address() -> None:
    order = mapped(ORDERS["orders/get_registered"], account_with(website_id=7, email="new@example.com"))
    assert order.buyer.key == "7:1"
    assert order.buyer.email == "new@example.com"
    assert order.website == "1"


def test_a_guest_stays_one_though_an_account_has_the_address() -> None:
    order = mapped(ORDERS["orders/get_guest_known_email"])
    assert order.buyer.account_id is None
    assert order.buyer.key == "1:guest:juergen@example.com"


def test_a_configurable_carries_its_child_as_component_and_its_choice() -> None:
    shirt, bundle, virtual = mapped(ORDERS["search/000000003"]).items
    assert (shirt.sku, shirt.product_type, shirt.gross) == ("SHIRT-RED", "configurable", Decimal("59.5"))
    assert shirt.components == (Component("5", "SHIRT-RED", shirt.components[0].name, Decimal(2)),)
    assert shirt.options == (Option("configurable option 93", "4"),)
    assert [(part.sku, part.quantity) for part in bundle.components] == [("MUG-01", 2), ("TEE-01", 1)]
    assert bundle.options == (Option("bundle option 1", "1 x 1"), Option("bundle option 2", "1 x 2"))
    assert virtual.is_virtual


def test_a_bundle_of_dynamic_price_takes_its_childrens_discounts() -> None:
    """Made from the recorded bundle: prices move to the children, as Magento's source does it."""
    document = copy.deepcopy(ORDERS["search/000000003"])
    parent, mug, tee = document["items"][2:5]
    parent.update(price=40, row_total_incl_tax=47.6, tax_amount=7.6, tax_percent=None, discount_amount=0)
    mug.update(price=10, row_total_incl_tax=21.42, tax_amount=3.42, tax_percent=19, discount_amount=2.38)
    mug.update(discount_tax_compensation_amount=0.38)
    tee.update(price=20, row_total_incl_tax=19.26, tax_amount=1.26, tax_percent=7, discount_amount=2.14)
    bundle = mapped(document).items[1]
    assert (bundle.gross, bundle.tax, bundle.net) == (Decimal("40.68"), Decimal("4.68"), Decimal(36))
    assert (bundle.discount_gross, bundle.discount_net) == (Decimal("4.52"), Decimal("4.14"))
    assert bundle.tax_percent == Decimal(13)
    assert [part.sku for part in bundle.components] == ["MUG-01", "TEE-01"]


def test_a_custom_option_keeps_its_text_and_the_products_own_sku() -> None:
    document = ORDERS["orders/get_custom_option"]
    item = mapped(document).items[0]
    assert (item.sku, item.product_sku) == ("OPT-01-GRAV", "")
    assert item.options == (Option("custom option 1", "Für Oma ♥"),)
    assert (
        mapped(document, product_skus={str(document["items"][0]["product_id"]): "OPT-01"}).items[0].product_sku
        == "OPT-01"
    )


def test_a_virtual_order_has_no_delivery() -> None:
    order = mapped(ORDERS["orders/get_virtual"])
    assert order.is_virtual
    assert order.delivery is None
    assert order.shipping.method == ""


def test_a_purchase_order_number_stays_text() -> None:
    payment = mapped(ORDERS["orders/get_po"]).payment
    assert (payment.method, payment.purchase_order_number) == ("purchaseorder", "4500012345/7")


def test_a_free_order() -> None:
    order = mapped(ORDERS["orders/get_free"])
    assert order.totals.gross == 0
    assert order.items[0].discount_net == Decimal(10)


def test_a_foreign_currency_keeps_its_rate() -> None:
    order = mapped(ORDERS["search/2000000001"])
    assert (order.currency, order.base_currency, order.base_to_order_rate) == ("USD", "EUR", Decimal("1.1"))
    assert order.payment.amount_paid == Decimal("55.77")


def test_regions_as_recorded() -> None:
    assert mapped(ORDERS["orders/get_fr"]).billing.region == ""
    assert mapped(ORDERS["orders/get_us"]).billing.region_code != ""


def test_numbers_may_come_as_strings_and_nulls_be_written() -> None:
    document = copy.deepcopy(ORDERS["orders/get_guest"])
    document.update(grand_total="16.9000", store_id="1", is_virtual="0", ext_order_id=None, customer_id=None)
    document["items"][0].update(row_total_incl_tax="11.9000", qty_ordered="1.0000", item_id="3", is_virtual=False)
    document["billing_address"].update(street="One line", company=None)
    order = mapped(document)
    assert str(order.totals.gross) == "16.9"
    assert str(order.items[0].quantity) == "1"
    assert order.billing.street == ("One line",)


def test_noise_of_binary_numbers_is_taken_out() -> None:
    document = copy.deepcopy(ORDERS["orders/get_guest"])
    document["items"][0]["row_total_incl_tax"] = 11.900000000000000355
    assert str(mapped(document).items[0].gross) == "11.9"


def test_empty_maps_may_come_as_lists() -> None:
    document = copy.deepcopy(ORDERS["orders/get_guest"])
    document["extension_attributes"] = []
    document["items"][0]["product_option"] = {"extension_attributes": []}
    assert mapped(document).delivery is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grand_total": None}, "grand_total"),
        ({"grand_total": "NaN"}, "grand_total"),
        ({"grand_total": "-Infinity"}, "grand_total"),
        ({"grand_total": "1e999999"}, "grand_total"),
        ({"increment_id": ""}, "increment_id"),
        ({"increment_id": "9" * 65}, "increment_id"),
        ({"order_currency_code": "E"}, "currency"),
        ({"billing_address": None}, "billing_address"),
        ({"payment": None}, "payment"),
        ({"coupon_code": "x" * 600}, "coupon_code"),
        ({"created_at": "2026-13-45 99:99:99"}, "time"),
        ({"status": "x" * 100}, "status"),
    ],
)
def test_refuses_what_cannot_be_an_order_and_names_the_field(change: dict[str, Any], field: str) -> None:
    document = {**copy.deepcopy(ORDERS["orders/get_guest"]), **change}
    with pytest.raises((UnreadableError, msgspec.ValidationError), match=field):
        mapped(document)


@pytest.mark.parametrize("field", ["sku", "item_id", "qty_ordered", "row_total_incl_tax"])
def test_refuses_an_item_without(field: str) -> None:
    document = copy.deepcopy(ORDERS["orders/get_guest"])
    del document["items"][0][field]
    with pytest.raises(UnreadableError, match=field):
        mapped(document)


@pytest.mark.parametrize(
    "change",
    [
        {"items": "none"},
        {"entity_id": "x"},
        {"entity_id": -1},
        {"updated_at": "now"},
        {"payment": []},
        {"customer_id": "1 or 1"},
    ],
)
def test_wrong_types_do_not_decode(change: dict[str, Any]) -> None:
    document = {**ORDERS["orders/get_guest"], **change}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(document), type=OrderJson)


def test_refusals_hold_no_personal_data() -> None:
    document = copy.deepcopy(ORDERS["orders/get_guest"])
    document["billing_address"]["city"] = "marked-city" * 100
    with pytest.raises(UnreadableError) as refused:
        mapped(document)
    assert "marked" not in str(refused.value)
    assert "city" in str(refused.value)


def test_an_order_without_items_has_none() -> None:
    assert mapped({**ORDERS["orders/get_guest"], "items": []}).items == ()


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1.5, "", "x" * 11_000, "\x00", "1e999999", "NaN", [], {}, [None], [[]], {"a": {}},
)  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all places, through the first element of each list."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    return [at, *(path for key, one in inner for path in paths(one, (*at, key)))]


@pytest.mark.parametrize("name", ["orders/get_coupon", "search/000000003"])
def test_no_value_in_any_place_does_worse_than_being_refused(name: str) -> None:
    document = copy.deepcopy(ORDERS[name])
    results = {"mapped": 0, "refused": 0}
    for path in paths(document)[1:]:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        kept = place[path[-1]]
        for hostile in HOSTILE:
            place[path[-1]] = hostile
            try:
                order = mapped(document)
            except (msgspec.ValidationError, UnreadableError):
                results["refused"] += 1
                continue
            msgspec.convert(msgspec.to_builtins(order), Order)
            results["mapped"] += 1
        place[path[-1]] = kept
    assert min(results.values()) > 500
