"""An order from a cart: the rows that Magento's checkout writes, field by field as the recorded orders have them."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from .answers import number
from .catalogue import Chosen
from .config import Store
from .pricing import ZERO, Coupon, Priced, Totals
from .shop import Shop
from .state import ORDER_COLUMNS, Doc, packed, unpacked, without_nulls
from .stores import region_of

TAX_CODE = "DE-19"
_ADDRESS_TEXTS = (
    "company", "fax", "firstname", "lastname", "middlename", "postcode", "prefix", "suffix", "telephone", "vat_id",
)  # fmt: skip


class Payment(Struct, frozen=True):
    """How the buyer pays."""

    method: str
    title: str
    po_number: str | None = None


class Placed(Struct, frozen=True):
    """Everything that a checkout knows when the buyer presses the button."""

    quote_id: int
    store: Store
    customer_id: int | None
    email: str
    """Of a guest; a customer's own is taken from the account."""
    billing: Doc
    shipping: Doc | None
    """None where all is virtual."""
    shipping_method: str
    items: tuple[tuple[Doc, Chosen], ...]
    coupon_code: str | None
    coupon: Coupon | None
    payment: Payment
    now: Totals
    """In the currency of the order."""
    base: Totals
    """In the base currency."""


class _Ids(Struct, frozen=True):
    order: int
    increment: str
    billing: int
    shipping: int | None
    tax: int | None


def increment_id(shop: Shop, kind: str, store_id: int) -> str:
    """Return the next number of an order, invoice, shipment or credit memo; each store view counts its own.

    Returns
    -------
    str
        E.g. ``"000000001"``, and ``"2000000001"`` in store 2.
    """
    serial = shop.state.next(f"{kind}/{store_id}")
    return f"{'' if store_id == 1 else store_id}{serial:09}"


def place(shop: Shop, placed: Placed, now: str) -> int:
    """Write the rows of a new order, inside the caller's transaction; return its entity id.

    Parameters
    ----------
    now:
        The moment it is placed, as Magento writes it.
    """
    state = shop.state
    # The shipping address is saved first, hence the order of the ids in the recordings.
    shipping_id = None if placed.shipping is None else state.next("order_address")
    ids = _Ids(
        order=state.next("order"),
        increment=increment_id(shop, "order", placed.store.id),
        billing=state.next("order_address"),
        shipping=shipping_id,
        tax=state.next("tax") if placed.now.tax else None,
    )
    customer = _customer(shop, placed)
    taxes = _Taxes(shop, placed, ids)
    items = _items(shop, placed, ids, now, taxes)
    header = _header(shop, placed, ids, customer, now)
    header["total_item_count"] = sum(1 for item in items if _counts(item, items))
    extra = {"shipping_method": placed.shipping_method or None, **taxes.summary()}
    state.put("sales_order", header, ("entity_id", *ORDER_COLUMNS), {"extra": packed(extra)})
    for item in items:
        state.put("sales_order_item", item, ("item_id", "order_id"))
    email = str(header["customer_email"])
    addresses = [("billing", ids.billing, placed.billing), ("shipping", ids.shipping, placed.shipping)]
    for kind, address_id, given in addresses:
        if address_id is not None and given is not None:
            address = _address(kind, address_id, ids.order, given, email)
            state.put("sales_order_address", address, ("entity_id", "parent_id", "address_type"))
    state.put("sales_order_payment", _payment(placed, ids), ("entity_id", "parent_id"))
    return ids.order


def _counts(item: Doc, items: list[Doc]) -> bool:
    """Tell whether an item counts in ``total_item_count``: the child of a configurable does, a bundle's do not.

    Recording ``search/02_empty_criteria``, order 3: 4 for a configurable, a bundle of two and a virtual product.
    """
    parent = next((each for each in items if each["item_id"] == item.get("parent_item_id")), None)
    return parent is None or parent["product_type"] == "configurable"


def _customer(shop: Shop, placed: Placed) -> Doc:
    if placed.customer_id is None:
        # A guest is named after the billing address, even when the e-mail belongs to an account.
        return {
            "customer_email": placed.email,
            "customer_firstname": placed.billing.get("firstname"),
            "customer_group_id": 0,
            "customer_is_guest": 1,
            "customer_lastname": placed.billing.get("lastname"),
            "customer_middlename": placed.billing.get("middlename"),
        }
    row = shop.state.one("SELECT doc FROM customer WHERE id = ?", placed.customer_id)
    account: Mapping[str, Any] = unpacked(row["doc"]) if row else {}
    birth = account.get("dob")
    return {
        "customer_dob": f"{birth} 00:00:00" if birth else None,
        "customer_email": account.get("email"),
        "customer_firstname": account.get("firstname"),
        "customer_gender": account.get("gender"),
        "customer_group_id": account.get("group_id", 1),
        "customer_id": placed.customer_id,
        "customer_is_guest": 0,
        "customer_lastname": account.get("lastname"),
        "customer_middlename": account.get("middlename"),
        "customer_prefix": account.get("prefix"),
        "customer_suffix": account.get("suffix"),
        "customer_taxvat": account.get("taxvat"),
    }


def _amounts(priced: Totals, prefix: str) -> Doc:
    odd = f"{prefix}shipping_discount_tax_compensation_{'amnt' if prefix else 'amount'}"
    return {
        f"{prefix}discount_amount": number(-priced.discount),
        f"{prefix}grand_total": number(priced.grand_total),
        f"{prefix}discount_tax_compensation_amount": number(priced.compensation),
        f"{prefix}shipping_amount": number(priced.shipping),
        f"{prefix}shipping_discount_amount": 0,
        odd: 0,
        f"{prefix}shipping_incl_tax": number(priced.shipping_gross),
        f"{prefix}shipping_tax_amount": number(priced.shipping_tax),
        f"{prefix}subtotal": number(priced.subtotal),
        f"{prefix}subtotal_incl_tax": number(priced.subtotal_gross),
        f"{prefix}tax_amount": number(priced.tax),
        f"{prefix}total_due": number(priced.grand_total),
    }


def _header(shop: Shop, placed: Placed, ids: _Ids, customer: Doc, now: str) -> Doc:
    quantities = [Decimal(item["qty"]) for item, _ in placed.items]
    weights = [chosen.product.weight or ZERO for _, chosen in placed.items]
    seed = f"{ids.order}/{ids.increment}/{now}"
    descriptions = {"flatrate_flatrate": "Flat Rate - Fixed", "freeshipping_freeshipping": "Free Shipping - Free"}
    return without_nulls(
        {
            "applied_rule_ids": str(placed.coupon.rule_id) if placed.coupon else None,
            "base_currency_code": "EUR",
            **_amounts(placed.base, "base_"),
            "base_to_global_rate": 1,
            "base_to_order_rate": number(shop.stores.rate(placed.store)),
            "billing_address_id": ids.billing,
            "coupon_code": placed.coupon_code,
            "created_at": now,
            **customer,
            "customer_note_notify": 1,
            "discount_description": placed.coupon_code,
            "email_sent": 1,
            "entity_id": ids.order,
            "global_currency_code": "EUR",
            **_amounts(placed.now, ""),
            "increment_id": ids.increment,
            "is_virtual": int(placed.shipping is None),
            "order_currency_code": shop.stores.website(placed.store).currency,
            "protect_code": hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest(),
            "quote_id": placed.quote_id,
            "remote_ip": "127.0.0.1",
            "shipping_description": descriptions.get(placed.shipping_method),
            "state": "new",
            "status": "pending",
            "store_currency_code": "EUR",
            "store_id": placed.store.id,
            "store_name": shop.stores.full_name(placed.store),
            "store_to_base_rate": 0,
            "store_to_order_rate": 0,
            "total_qty_ordered": number(sum(quantities, ZERO)),
            "updated_at": now,
            "weight": number(sum((q * w for q, w in zip(quantities, weights, strict=True)), ZERO)),
        }
    )


def _address(kind: str, address_id: int, order_id: int, given: Doc, email: str) -> Doc:
    street = given.get("street")
    texts = {name: given[name] for name in _ADDRESS_TEXTS if given.get(name)}
    return {
        "address_type": kind,
        "city": given.get("city"),
        "country_id": given.get("country_id"),
        "email": given.get("email") or email,
        "entity_id": address_id,
        "parent_id": order_id,
        **texts,
        **region_of(given),
        "street": street if isinstance(street, list) else [str(street)],
    }


def _payment(placed: Placed, ids: _Ids) -> Doc:
    information: dict[str, str | None] = {"method_title": placed.payment.title}
    if placed.payment.method == "banktransfer":
        information["instructions"] = None
    return without_nulls(
        {
            "additional_information": information,
            "amount_ordered": number(placed.now.grand_total),
            "base_amount_ordered": number(placed.base.grand_total),
            "base_shipping_amount": number(placed.base.shipping),
            "entity_id": ids.order,
            "method": placed.payment.method,
            "parent_id": ids.order,
            "po_number": placed.payment.po_number,
            "shipping_amount": number(placed.now.shipping),
        }
    )


class _Taxes:
    """Collects the tax rows of one order while its items are written."""

    def __init__(self, shop: Shop, placed: Placed, ids: _Ids) -> None:
        self._shop = shop
        self._placed = placed
        self._ids = ids
        self._applied: list[Doc] = []

    def of_item(self, item_id: int, line: Priced, base: Priced) -> list[Doc]:
        """Return the ``itemized_taxes`` of an item."""
        if not line.tax:
            return []
        self._applied.append({"type": "product", "item_id": item_id, "applied_taxes": [_applied(line.tax, base.tax)]})
        return [self._row(line.tax, base.tax, "product", item_id)]

    def _row(self, amount: Decimal, base: Decimal, kind: str, item_id: int | None = None) -> Doc:
        return without_nulls(
            {
                "tax_item_id": self._shop.state.next("tax_item"),
                "tax_id": self._ids.tax,
                "item_id": item_id,
                "tax_code": TAX_CODE,
                "tax_percent": number(self._placed.now.rate),
                "amount": number(amount),
                "base_amount": number(base),
                "real_amount": number(amount),
                "real_base_amount": number(base),
                "taxable_item_type": kind,
            }
        )

    def summary(self) -> Doc:
        """Return the order's tax extension attributes."""
        now, base = self._placed.now, self._placed.base
        if not now.tax:
            return {"applied_taxes": [], "item_applied_taxes": [], "taxes": [], "additional_itemized_taxes": []}
        whole = _applied(now.tax, base.tax)
        shipping = {"type": "shipping", "applied_taxes": [_applied(now.shipping_tax, base.shipping_tax)]}
        tax = {
            "tax_id": self._ids.tax,
            "order_id": self._ids.order,
            **whole,
            "base_real_amount": number(base.tax),
            "priority": 0,
            "position": 0,
            "process": 0,
        }
        return {
            "applied_taxes": [whole],
            "item_applied_taxes": [shipping, *self._applied],
            "taxes": [tax],
            "additional_itemized_taxes": [self._row(now.shipping_tax, base.shipping_tax, "shipping")],
        }


def _applied(amount: Decimal, base: Decimal) -> Doc:
    return {
        "code": TAX_CODE,
        "title": TAX_CODE,
        "percent": 19,
        "amount": number(amount),
        "base_amount": number(base),
    }


def _items(shop: Shop, placed: Placed, ids: _Ids, now: str, taxes: _Taxes) -> list[Doc]:
    rows = []
    lines = zip(placed.items, placed.now.lines, placed.base.lines, strict=True)
    for (item, chosen), line, base in lines:
        item_id = shop.state.next("order_item")
        row = _item(placed, chosen, item, line, base)
        row |= {"item_id": item_id, "order_id": ids.order, "created_at": now, "updated_at": now}
        row["itemized_taxes"] = taxes.of_item(item_id, line, base)
        rows.append(without_nulls(row))
        for (product, pieces), quote_item in zip(chosen.children, item["children"], strict=True):
            child = _blank(placed, Decimal(item["qty"]) * pieces) | {
                "created_at": now,
                "item_id": shop.state.next("order_item"),
                "name": product.name,
                "order_id": ids.order,
                "original_price": 0,
                "parent_item_id": item_id,
                "price": 0,
                "product_id": product.id,
                "product_type": "simple",
                "quote_item_id": quote_item,
                "sku": product.sku,
                "updated_at": now,
                "weight": number(product.weight or 0),
                "itemized_taxes": [],
            }
            rows.append(child)
    return rows


def _blank(placed: Placed, quantity: Decimal) -> Doc:
    """Return the fields that every item has before it is priced."""
    zeros = (
        "amount_refunded", "base_amount_refunded", "base_discount_amount", "base_discount_invoiced", "base_price",
        "base_row_invoiced", "base_row_total", "base_tax_amount", "base_tax_invoiced", "discount_amount",
        "discount_invoiced", "discount_percent", "free_shipping", "is_qty_decimal", "is_virtual", "no_discount",
        "qty_canceled", "qty_invoiced", "qty_refunded", "qty_shipped", "row_invoiced", "row_total", "row_weight",
        "tax_amount", "tax_invoiced", "tax_percent",
    )  # fmt: skip
    return dict.fromkeys(zeros, 0) | {"qty_ordered": number(quantity), "store_id": placed.store.id}


def _item(placed: Placed, chosen: Chosen, item: Doc, line: Priced, base: Priced) -> Doc:
    product, quantity = chosen.product, Decimal(item["qty"])
    percent = placed.coupon.percent if placed.coupon else ZERO
    # The price before custom options stays as the original one (recording `orders/get_custom_option`).
    share = product.gross / chosen.gross
    row = _blank(placed, quantity)
    for prefix, priced in (("", line), ("base_", base)):
        row |= {
            f"{prefix}discount_amount": number(priced.discount),
            f"{prefix}discount_tax_compensation_amount": number(priced.compensation),
            f"{prefix}original_price": number(round(priced.original * share, 4)),
            f"{prefix}price": number(priced.unit),
            f"{prefix}price_incl_tax": number(priced.unit_gross),
            f"{prefix}row_total": number(priced.row),
            f"{prefix}row_total_incl_tax": number(priced.row_gross),
            f"{prefix}tax_amount": number(priced.tax),
        }
    return row | {
        "applied_rule_ids": str(placed.coupon.rule_id) if placed.coupon else None,
        "discount_percent": number(percent),
        "is_qty_decimal": int(product.decimal_quantity),
        "is_virtual": int(product.kind == "virtual"),
        "name": product.name,
        "product_id": product.id,
        "product_type": product.kind,
        "quote_item_id": item["item_id"],
        "row_weight": number((product.weight or ZERO) * quantity),
        "sku": chosen.sku,
        "tax_percent": number(placed.now.rate),
        "weight": None if product.weight is None else number(product.weight),
        "product_option": chosen.option,
    }
