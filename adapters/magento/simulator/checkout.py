"""Carts and checkout, for guests (``guest-carts``) and for customers (``carts/mine``), as a shop front uses them."""

import secrets
from decimal import Decimal

from msgspec import Struct

from .answers import ApiError, no_such, number, required
from .catalogue import Chosen, choose
from .config import Store
from .placement import Payment, Placed, place
from .pricing import COUPONS, Coupon, Line, Totals, totals
from .shop import Shop
from .state import Doc, packed, unpacked

METHODS = {
    "checkmo": "Check / Money order",
    "purchaseorder": "Purchase Order",
    "banktransfer": "Bank Transfer Payment",
    "free": "No Payment Information Required",
}
MAX_ITEMS = 500


class Cart(Struct):
    """An open cart."""

    id: int
    masked_id: str | None
    customer_id: int | None
    doc: Doc

    @property
    def items(self) -> list[Doc]:
        """The items put into it, as they are kept."""
        items: list[Doc] = self.doc["items"]
        return items

    @property
    def coupon(self) -> Coupon | None:
        """The rule behind the coupon code, if one is set."""
        return COUPONS.get(self.doc.get("coupon_code") or "")


def open_cart(shop: Shop, store: Store, customer_id: int | None) -> Cart:
    """Open a cart, or return the customer's open one."""
    if customer_id is not None:
        row = shop.state.one("SELECT * FROM quote WHERE customer_id = ? AND active = 1", customer_id)
        if row is not None:
            return Cart(row["id"], row["masked_id"], customer_id, unpacked(row["doc"]))
    with shop.state.transaction():
        cart = Cart(
            id=shop.state.next("quote"),
            masked_id=None
            if customer_id is not None
            else secrets.token_urlsafe(24).replace("-", "x").replace("_", "y"),
            customer_id=customer_id,
            doc={"store_id": store.id, "items": []},
        )
        save(shop, cart)
    return cart


def save(shop: Shop, cart: Cart, *, active: bool = True) -> None:
    """Keep a cart; call it inside a transaction."""
    shop.state.run(
        "INSERT OR REPLACE INTO quote (id, masked_id, customer_id, active, doc) VALUES (?, ?, ?, ?, ?)",
        cart.id,
        cart.masked_id,
        cart.customer_id,
        int(active),
        packed(cart.doc),
    )


def guest_cart(shop: Shop, masked_id: str) -> Cart:
    """Return a guest's open cart.

    Raises
    ------
    ApiError
        404 where there is none.
    """
    row = shop.state.one("SELECT * FROM quote WHERE masked_id = ? AND active = 1", masked_id)
    if row is None:
        raise no_such("cartId", masked_id)
    return Cart(row["id"], masked_id, None, unpacked(row["doc"]))


def customer_cart(shop: Shop, customer_id: int) -> Cart:
    """Return a customer's open cart.

    Raises
    ------
    ApiError
        404 where there is none.
    """
    row = shop.state.one("SELECT * FROM quote WHERE customer_id = ? AND active = 1", customer_id)
    if row is None:
        raise no_such("customerId", customer_id)
    return Cart(row["id"], None, customer_id, unpacked(row["doc"]))


def add_item(shop: Shop, cart: Cart, body: Doc) -> Doc:
    """Put an item into a cart (recording ``flow/guest/add_item_MUG-01``)."""
    given = body.get("cartItem", body.get("cart_item"))
    if not isinstance(given, dict):
        raise required("cartItem")
    chosen = choose(str(given.get("sku", "")), given.get("product_option"))
    quantity = _quantity(given.get("qty"), chosen)
    if len(cart.items) >= MAX_ITEMS:
        raise ApiError(400, f"The simulator takes at most {MAX_ITEMS} items in a cart.")
    with shop.state.transaction():
        item: Doc = {
            "item_id": shop.state.next("quote_item"),
            "sku": chosen.product.sku,
            "qty": str(quantity),
            "product_option": chosen.option,
        }
        # The children of a configurable or bundle are quote items of their own.
        item["children"] = [shop.state.next("quote_item") for _ in chosen.children]
        cart.items.append(item)
        save(shop, cart)
    return _cart_item(shop, cart, item, price(shop, cart))


def _quantity(given: object, chosen: Chosen) -> Decimal:
    try:
        quantity = Decimal(str(given))
    except ArithmeticError:
        quantity = Decimal(0)
    if not quantity.is_finite() or not 0 < quantity <= 10_000:
        raise ApiError(400, "The requested qty is not available")
    whole = quantity == quantity.to_integral_value()
    return quantity if whole or chosen.product.decimal_quantity else quantity.to_integral_value()


def chosen_items(cart: Cart) -> list[Chosen]:
    """Return the products in a cart, their options chosen."""
    return [choose(item["sku"], item["product_option"]) for item in cart.items]


def price(shop: Shop, cart: Cart, *, base: bool = False) -> Totals:
    """Price a cart in its store's currency, or in the base currency."""
    store = shop.stores.by_id[cart.doc["store_id"]]
    lines = [
        Line(chosen.gross, Decimal(item["qty"]), chosen.product.kind == "virtual")
        for item, chosen in zip(cart.items, chosen_items(cart), strict=True)
    ]
    address = cart.doc.get("shipping_address") or cart.doc.get("billing_address") or {}
    exchange = Decimal(1) if base else shop.stores.rate(store)
    country = str(address.get("country_id") or "DE")
    return totals(lines, country, exchange, cart.coupon, discount_on_gross=shop.discount_on_gross)


def _cart_item(shop: Shop, cart: Cart, item: Doc, priced: Totals) -> Doc:
    del shop
    chosen = choose(item["sku"], item["product_option"])
    line = priced.lines[cart.items.index(item)]
    shown: Doc = {
        "item_id": item["item_id"],
        "sku": chosen.sku,
        "qty": number(item["qty"]),
        "name": chosen.product.name,
        "price": number(line.unit),
        "product_type": chosen.product.kind,
        "quote_id": str(cart.id),
    }
    if chosen.option:
        shown["product_option"] = chosen.option
    return shown


def list_items(shop: Shop, cart: Cart) -> list[Doc]:
    """Return the items of a cart."""
    priced = price(shop, cart)
    return [_cart_item(shop, cart, item, priced) for item in cart.items]


def set_coupon(shop: Shop, cart: Cart, code: str) -> bool:
    """Apply a coupon code."""
    if code not in COUPONS:
        raise ApiError(404, "The coupon code isn't valid. Verify the code and try again.")
    cart.doc["coupon_code"] = code
    with shop.state.transaction():
        save(shop, cart)
    return True


def _is_virtual(cart: Cart) -> bool:
    return all(chosen.product.kind == "virtual" for chosen in chosen_items(cart))


def shipping_methods(shop: Shop, cart: Cart, body: Doc) -> list[Doc]:
    """Return the ways of delivery (recording ``flow/guest/shipping_methods``)."""
    address = body.get("address")
    if not isinstance(address, dict):
        raise required("address")
    if not cart.items or _is_virtual(cart):
        return []
    cart.doc["shipping_address"] = address
    now, base = price(shop, cart), price(shop, cart, base=True)
    free = bool(cart.coupon and cart.coupon.free_shipping)
    title = ("freeshipping", "Free Shipping", "Free") if free else ("flatrate", "Flat Rate", "Fixed")
    return [
        {
            "carrier_code": title[0],
            "method_code": title[0],
            "carrier_title": title[1],
            "method_title": title[2],
            "amount": number(now.shipping_gross),
            "base_amount": number(base.shipping_gross),
            "available": True,
            "error_message": "",
            "price_excl_tax": number(now.shipping),
            "price_incl_tax": number(now.shipping_gross),
        }
    ]


def set_shipping(shop: Shop, cart: Cart, body: Doc) -> Doc:
    """Take addresses and the way of delivery (recording ``flow/guest/shipping_information``)."""
    given = body.get("addressInformation", body.get("address_information"))
    if not isinstance(given, dict):
        raise required("addressInformation")
    if not cart.items:
        raise ApiError(400, "The shipping method can't be set for an empty cart. Add an item to cart and try again.")
    if _is_virtual(cart):
        raise ApiError(400, "The Cart includes virtual product(s) only, so a shipping address is not used.")
    if not isinstance(given.get("shipping_address"), dict):
        raise ApiError(400, "The shipping address is missing. Set the address and try again.")
    carrier = given.get("shipping_carrier_code", given.get("shippingCarrierCode"))
    method = given.get("shipping_method_code", given.get("shippingMethodCode"))
    free = bool(cart.coupon and cart.coupon.free_shipping)
    if (carrier, method) not in {("flatrate", "flatrate"), ("freeshipping", "freeshipping") if free else ("", "")}:
        raise ApiError(404, "Carrier with such method not found: %1, %2", [carrier, method])
    cart.doc["shipping_address"] = given["shipping_address"]
    cart.doc["shipping_method"] = f"{carrier}_{method}"
    if isinstance(given.get("billing_address"), dict):
        cart.doc["billing_address"] = given["billing_address"]
    with shop.state.transaction():
        save(shop, cart)
    return {"payment_methods": _payment_methods(shop, cart), "totals": show_totals(shop, cart)}


def _payment_methods(shop: Shop, cart: Cart) -> list[Doc]:
    free = price(shop, cart).grand_total == 0
    return [{"code": code, "title": title} for code, title in METHODS.items() if (code == "free") == free]


def show_totals(shop: Shop, cart: Cart) -> Doc:
    """Return a cart's totals as the checkout shows them."""
    now, base = price(shop, cart), price(shop, cart, base=True)
    website = shop.stores.website(shop.stores.by_id[cart.doc["store_id"]])
    free = bool(cart.coupon and cart.coupon.free_shipping)
    shown: Doc = {}
    for name in (
        "grand_total",
        "subtotal",
        "discount",
        "subtotal_with_discount",
        "shipping",
        "shipping_discount",
        "tax",
    ):
        for prefix, priced in (("", now), ("base_", base)):
            field = name if name.startswith(("grand", "subtotal")) else f"{name}_amount"
            shown[prefix + field] = number(_total(priced, name))
    shown["weee_tax_applied_amount"] = None
    shown |= {
        "shipping_tax_amount": number(now.shipping_tax),
        "base_shipping_tax_amount": number(base.shipping_tax),
        "subtotal_incl_tax": number(now.subtotal_gross),
        "shipping_incl_tax": number(now.shipping_gross),
        "base_shipping_incl_tax": number(base.shipping_gross),
        "base_currency_code": "EUR",
        "quote_currency_code": website.currency,
        "items_qty": number(sum((Decimal(item["qty"]) for item in cart.items), Decimal(0))),
        "items": [_total_item(cart, index, now, base) for index in range(len(cart.items))],
        "total_segments": _segments(now, "Free Shipping - Free" if free else "Flat Rate - Fixed"),
    }
    if cart.doc.get("coupon_code"):
        shown["coupon_code"] = cart.doc["coupon_code"]
    return shown


def _total(priced: Totals, name: str) -> Decimal:
    return {
        "grand_total": priced.grand_total,
        "subtotal": priced.subtotal,
        "discount": -priced.discount,
        "subtotal_with_discount": priced.subtotal - priced.discount,
        "shipping": priced.shipping,
        "shipping_discount": Decimal(0),
        "tax": priced.tax,
    }[name]


def _total_item(cart: Cart, index: int, now: Totals, base: Totals) -> Doc:
    item, chosen = cart.items[index], chosen_items(cart)[index]
    line, based = now.lines[index], base.lines[index]
    return {
        "item_id": item["item_id"],
        "price": number(line.unit),
        "base_price": number(based.unit),
        "qty": number(item["qty"]),
        "row_total": number(line.row),
        "base_row_total": number(based.row),
        "row_total_with_discount": 0,
        "tax_amount": number(line.tax),
        "base_tax_amount": number(based.tax),
        "tax_percent": number(now.rate),
        "discount_amount": number(line.discount),
        "base_discount_amount": number(based.discount),
        "discount_percent": number(cart.coupon.percent) if cart.coupon else 0,
        "price_incl_tax": number(line.unit_gross),
        "base_price_incl_tax": number(based.unit_gross),
        "row_total_incl_tax": number(line.row_gross),
        "base_row_total_incl_tax": number(based.row_gross),
        "options": "[]",
        "weee_tax_applied_amount": None,
        "weee_tax_applied": None,
        "name": chosen.product.name,
    }


def _segments(now: Totals, delivery: str) -> list[Doc]:
    tax: Doc = {"code": "tax", "title": "Tax", "value": number(now.tax)}
    rates = [{"percent": str(number(now.rate)), "title": "DE-19"}]
    details = [{"amount": number(now.tax), "rates": rates, "group_id": 1}] if now.tax else []
    tax["extension_attributes"] = {"tax_grandtotal_details": details}
    return [
        {"code": "subtotal", "title": "Subtotal", "value": number(now.subtotal)},
        {"code": "shipping", "title": f"Shipping & Handling ({delivery})", "value": number(now.shipping)},
        tax,
        {"code": "grand_total", "title": "Grand Total", "value": number(now.grand_total), "area": "footer"},
    ]


def pay(shop: Shop, cart: Cart, body: Doc) -> int:
    """Place the order (recording ``flow/guest/place``); return its entity id.

    Raises
    ------
    ApiError
        400 for an empty cart, a method that is not offered, or an address that is missing.
    """
    given = body.get("paymentMethod", body.get("payment_method"))
    if not isinstance(given, dict):
        raise required("paymentMethod")
    if cart.customer_id is None and not body.get("email"):
        raise required("email")
    billing = body.get("billing_address", body.get("billingAddress"))
    if isinstance(billing, dict):
        cart.doc["billing_address"] = billing
    _placeable(cart)
    now, base = price(shop, cart), price(shop, cart, base=True)
    method = str(given.get("method", ""))
    if method not in METHODS or (method == "free") != (now.grand_total == 0):
        raise ApiError(400, "The requested Payment Method is not available.")
    po_number = given.get("po_number", given.get("poNumber"))
    if method == "purchaseorder" and not po_number:
        raise ApiError(400, "Purchase order number is a required field.")
    placed = Placed(
        quote_id=cart.id,
        store=shop.stores.by_id[cart.doc["store_id"]],
        customer_id=cart.customer_id,
        email=str(body.get("email") or ""),
        billing=cart.doc["billing_address"],
        shipping=None if _is_virtual(cart) else cart.doc["shipping_address"],
        shipping_method=cart.doc.get("shipping_method", ""),
        items=tuple(zip(cart.items, chosen_items(cart), strict=True)),
        coupon_code=cart.doc.get("coupon_code"),
        coupon=cart.coupon,
        payment=Payment(method, METHODS[method], None if po_number is None else str(po_number)),
        now=now,
        base=base,
    )
    with shop.state.transaction():
        order_id = place(shop, placed, shop.state.clock.now())
        save(shop, cart, active=False)
    return order_id


def _placeable(cart: Cart) -> None:
    if not cart.items:
        raise no_such("cartId", cart.id)
    if not isinstance(cart.doc.get("billing_address"), dict):
        raise ApiError(400, "Please check the billing address information.")
    if not _is_virtual(cart) and not cart.doc.get("shipping_method"):
        raise ApiError(400, "The shipping method is missing. Select the shipping method and try again.")
