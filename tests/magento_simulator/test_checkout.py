"""Orders placed as a shop front places them, compared with the recorded orders of the same contents."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.magento.simulator.shopper import PASSWORD

from .replay import Client, RefusedError, body, differences, recording, same, searched_orders
from .test_orders import timeless

ERIKA = recording("flow/guest/place")["request"]["body"]["billing_address"]
JUERGEN = recording("flow/registered/place")["request"]["body"]["billing_address"]
RED_SHIRT = {"extension_attributes": {"configurable_item_options": [{"option_id": "93", "option_value": 4}]}}
SET = {
    "extension_attributes": {
        "bundle_options": [
            {"option_id": 1, "option_qty": 1, "option_selections": [1]},
            {"option_id": 2, "option_qty": 1, "option_selections": [2]},
        ]
    }
}
ENGRAVED = {"extension_attributes": {"custom_options": [{"option_id": "1", "option_value": "Für Oma ♥"}]}}
NUMBERED = {
    "entity_id", "parent_id", "order_id", "item_id", "tax_id", "tax_item_id", "quote_id", "quote_item_id",
    "billing_address_id", "increment_id", "protect_code", "parent_item_id", "ext_order_id", "ext_customer_id",
}  # fmt: skip


def nameless(value: Any) -> Any:
    """Return an order without the numbers that were counted up and without moments."""
    if isinstance(value, dict):
        return {name: nameless(inner) for name, inner in timeless(value).items() if name not in NUMBERED}
    return [nameless(each) for each in value] if isinstance(value, list) else value


async def place(
    client: Client,
    items: list[tuple[str, float, Any]],
    address: dict[str, Any] = ERIKA,
    *,
    billing: dict[str, Any] | None = None,
    email: str = "erika@example.com",
    store: str = "default",
    payment: dict[str, str] | None = None,
    coupon: str = "",
    carrier: str = "flatrate",
) -> dict[str, Any]:
    """Place an order as a guest and return it as the API shows it."""
    cart = await client.do("POST", f"/rest/{store}/V1/guest-carts")
    base = f"/rest/{store}/V1/guest-carts/{cart}"
    for sku, quantity, option in items:
        item = {"sku": sku, "qty": quantity, "quote_id": cart}
        await client.do("POST", f"{base}/items", {"cartItem": item | ({"product_option": option} if option else {})})
    if coupon:
        assert await client.do("PUT", f"{base}/coupons/{coupon}") is True
    if any(sku != "VIRT-01" for sku, _, _ in items):
        information = {
            "shipping_address": address,
            "shipping_method_code": carrier,
            "shipping_carrier_code": carrier,
        }
        await client.do("POST", f"{base}/shipping-information", {"addressInformation": information})
    paid = {"email": email, "paymentMethod": payment or {"method": "checkmo"}, "billing_address": billing or address}
    return await client.order(await client.do("POST", f"{base}/payment-information", paid))


def first_seen(order_id: int) -> dict[str, Any]:
    return next(order for order in searched_orders() if order["entity_id"] == order_id)


def address_of(name: str) -> dict[str, Any]:
    return body(name)["billing_address"]


MUG, TEE, VIRTUAL = ("MUG-01", 1, None), ("TEE-01", 1, None), ("VIRT-01", 1, None)
PLACED = {
    "orders/get_guest": {"items": [MUG]},
    "orders/get_virtual": {"items": [VIRTUAL], "payment": {"method": "banktransfer"}},
    "orders/get_po": {
        "items": [("TEE-01", 3, None)],
        "payment": {"method": "purchaseorder", "po_number": "4500012345/7"},
    },
    "orders/get_billdiff": {"items": [MUG], "billing": JUERGEN | {"email": "erika@example.com"}, "store": "de"},
    "orders/get_us": {"items": [MUG], "address": address_of("orders/get_us"), "email": "john@example.com"},
    "orders/get_gb": {"items": [MUG], "address": address_of("orders/get_gb"), "email": "zoe@example.com"},
    "orders/get_fr": {"items": [MUG], "address": address_of("orders/get_fr"), "email": "ann@example.com"},
    "orders/get_custom_option": {"items": [("OPT-01", 1, ENGRAVED)]},
    "orders/get_free": {
        "items": [MUG], "coupon": "FREE", "carrier": "freeshipping", "payment": {"method": "free"},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PLACED)
async def test_orders_are_as_recorded(shop: Client, name: str) -> None:
    order = await place(shop, **PLACED[name])
    assert differences(nameless(body(name)), nameless(order)) == []


@pytest.mark.parametrize(("on_gross", "name"), [(False, "orders/get_coupon"), (True, "order_update/40")])
async def test_a_coupon_applies_to_net_or_to_gross(start: object, on_gross: bool, name: str) -> None:
    client = await start(discount_on_gross=on_gross)
    order = await place(client, [("MUG-01", 3, None), TEE], coupon="TEN")
    if on_gross:
        recorded = recording("order_update/40_roundtrip_discounted_order")["request"]["body"]["entity"]
        recorded.pop("ext_order_id", None)
    else:
        recorded = body(name)
    assert differences(nameless(recorded), nameless(order)) == []


async def test_configurable_bundle_and_virtual_together(shop: Client) -> None:
    items = [("SHIRT", 2, RED_SHIRT), ("SET-01", 1, SET), VIRTUAL]
    order = await place(shop, items)
    recorded = first_seen(3)
    assert differences(nameless(recorded), nameless(order)) == []
    parents = [item.get("parent_item_id") for item in order["items"]]
    first = order["items"][0]["item_id"]
    assert parents == [None, first, None, first + 2, first + 2, None]


async def test_decimal_quantities(shop: Client) -> None:
    """The item of the recording `async/05_bulk_detailed`: 2.75 of a fabric at 10.00 gross."""
    order = await place(shop, [("DEC-01", 2.75, None)])
    item = order["items"][0]
    assert (item["qty_ordered"], item["price"], item["row_total"], item["tax_amount"]) == (2.75, 8.4, 23.11, 4.39)
    assert (order["shipping_amount"], order["grand_total"]) == (11.55, 41.25)


async def test_the_second_website_sells_in_dollars(shop: Client) -> None:
    order = await place(shop, [("MUG-01", 3, None)], store="b2b_en")
    recorded = first_seen(6)
    kept = [name for name in order if not isinstance(order[name], dict | list) and name not in NUMBERED]
    changed = {"state", "status", "total_due", "base_total_due", "customer_note_notify", "created_at", "updated_at"}
    assert {name: order[name] for name in kept if name not in changed} == {
        name: recorded[name] for name in kept if name not in changed
    }
    assert order["increment_id"] == "2000000001"
    assert order["items"][0]["row_total_incl_tax"] == 39.27
    assert order["extension_attributes"]["taxes"][0]["amount"] == 8.9


async def test_a_customer_orders_as_recorded(shop: Client) -> None:
    customer = recording("customers/create")["request"]["body"] | {"password": PASSWORD}
    await shop.do("POST", "/rest/V1/customers", customer)
    login = {"username": "juergen@example.com", "password": PASSWORD}
    token = (await shop.send("POST", "/rest/V1/integration/customer/token", login)).body
    bearer = f"Bearer {token}"
    assert (await shop.send("POST", "/rest/default/V1/carts/mine", auth=bearer)).body == 1
    for name in ("add_item_MUG-01", "add_item_TEE-01", "shipping_information", "place"):
        request = recording(f"flow/registered/{name}")["request"]
        same(await shop.send("POST", request["path"], request["body"], bearer), f"flow/registered/{name}")
    order = await shop.order(1)
    assert differences(nameless(body("orders/get_registered")), nameless(order)) == []
    assert order["increment_id"] == "000000001"


async def test_the_guest_checkout_answers_as_recorded(shop: Client) -> None:
    state = shop.simulator.shop.state
    state.next("quote", 1)
    state.next("quote_item", 2)
    state.next("order", 1)
    cart = await shop.do("POST", "/rest/default/V1/guest-carts")
    assert len(cart) == 32
    for name in ("add_item_MUG-01", "shipping_methods", "shipping_information", "place"):
        request = recording(f"flow/guest/{name}")["request"]
        path = request["path"].replace("tFS1I8Eu6MCUlftKKzFcDvtjDDQXXU1a", cart)
        same(await shop.send("POST", path, request["body"]), f"flow/guest/{name}")
    again = await shop.send("POST", f"/rest/default/V1/guest-carts/{cart}/payment-information", request["body"])
    assert again.status == 404, "a cart is ordered once"


@pytest.mark.parametrize("coupon", ["", "TEN"])
@pytest.mark.parametrize("store", ["default", "b2b_en"])
@pytest.mark.parametrize("country", ["DE", "GB"])
@pytest.mark.parametrize("on_gross", [True, False])
async def test_totals_add_up_to_the_cent(start: object, coupon: str, store: str, country: str, on_gross: bool) -> None:
    client = await start(discount_on_gross=on_gross)
    items = [("MUG-01", 7, None), ("SHIRT", 3, RED_SHIRT), ("SET-01", 1, SET), ("OPT-01", 1, ENGRAVED), VIRTUAL]
    order = await place(client, items, ERIKA | {"country_id": country}, store=store, coupon=coupon)
    for prefix in ("", "base_"):
        total = {
            name.removeprefix(prefix): Decimal(str(value))
            for name, value in order.items()
            if isinstance(value, int | float)
        } | {
            name.removeprefix(prefix): Decimal(str(value))
            for name, value in order.items()
            if prefix and name.startswith(prefix) and isinstance(value, int | float)
        }
        top = [item for item in order["items"] if "parent_item_id" not in item]
        gross = sum(Decimal(str(item[f"{prefix}row_total_incl_tax"])) for item in top)
        assert gross + total["shipping_incl_tax"] == total["grand_total"]
        taxes = sum(Decimal(str(item[f"{prefix}tax_amount"])) for item in top)
        assert taxes + total["shipping_tax_amount"] == total["tax_amount"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"payment": {"method": "barter"}}, 400),
        ({"payment": {"method": "purchaseorder"}}, 400),
        ({"items": [("NOPE-01", 1, None)]}, 404),
        ({"items": [("SHIRT", 1, None)]}, 400),
        ({"items": [("MUG-01", 0, None)]}, 400),
        ({"coupon": "WRONG"}, 404),
        ({"carrier": "pigeon"}, 404),
    ],
)
async def test_what_a_checkout_refuses(shop: Client, change: dict[str, Any], status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        await place(shop, **({"items": [MUG]} | change))
    assert refused.value.args[0] == status
    assert (await shop.get("/rest/V1/orders?searchCriteria="))["total_count"] == 0
