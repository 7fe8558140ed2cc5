"""The rows of one order: read as Magento's models read them, written back as they write them, shown as its API does."""

import copy
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from .answers import internal_error, number
from .criteria import Table, columns
from .fields import TYPES
from .state import ORDER_COLUMNS, Doc, State, packed, unpacked, without_nulls

_SCALARS = {
    kind: {name: type_ for name, type_ in TYPES[kind].items() if type_ in ("int", "float", "string")}
    for kind in ("order", "item", "payment")
}
_SHIPPING_TOTALS = tuple(
    name
    for prefix in ("base_shipping", "shipping")
    for name in (
        f"{prefix}_amount", f"{prefix}_canceled", f"{prefix}_discount_amount",
        f"{prefix}_discount_tax_compensation_{'amnt' if prefix.startswith('base') else 'amount'}",
        f"{prefix}_incl_tax", f"{prefix}_invoiced", f"{prefix}_refunded", f"{prefix}_tax_amount",
        f"{prefix}_tax_refunded",
    )
)  # fmt: skip
ORDERS = Table(
    name="sales_order",
    key="entity_id",
    column=columns(
        _SCALARS["order"],
        {name: name for name in ("entity_id", *ORDER_COLUMNS)},
        # Orders answer an unknown field with the database's error (recording `search/18_unknown_field`).
        lambda _field: internal_error(),
    ),
)
ITEMS = Table(
    name="sales_order_item",
    key="item_id",
    column=columns(_SCALARS["item"], {name: name for name in ("item_id", "order_id")}, lambda _field: internal_error()),
)


class Order(Struct):
    """An order's rows as one request has read them."""

    header: Doc
    extra: Doc
    """Shipping method and tax rows."""
    items: list[Doc]
    payment: Doc

    @property
    def id(self) -> int:
        """Its entity id."""
        return int(self.header["entity_id"])


def read(state: State, order_id: int) -> Order | None:
    """Read an order's rows, or return None where there is none."""
    row = state.one("SELECT doc, extra FROM sales_order WHERE entity_id = ?", order_id)
    if row is None:
        return None
    payments = state.docs("sales_order_payment", "parent_id", order_id, "entity_id")
    return Order(
        header=unpacked(row["doc"]),
        extra=unpacked(row["extra"]),
        items=state.docs("sales_order_item", "order_id", order_id, "item_id"),
        payment=payments[0] if payments else {},
    )


def change_header(state: State, order_id: int, changes: Doc) -> None:
    """Update only the given columns of an order's row, as Magento does; the others keep what anyone else wrote.

    A value that changes moves ``updated_at``; the same value again does not.
    """
    row = state.one("SELECT doc, extra FROM sales_order WHERE entity_id = ?", order_id)
    if row is None:
        return
    before: Doc = unpacked(row["doc"])
    after = without_nulls({**before, **changes})
    if after == before:
        return
    after["updated_at"] = state.clock.now()
    state.put("sales_order", after, ("entity_id", *ORDER_COLUMNS), {"extra": row["extra"]})


def change_extra(state: State, order_id: int, extra: Doc) -> None:
    """Replace an order's shipping method and tax rows."""
    state.run("UPDATE sales_order SET extra = ? WHERE entity_id = ?", packed(extra), order_id)


def write_items(state: State, items: Iterable[Doc]) -> None:
    """Write whole item rows with the values in hand, however old these are; changed rows move ``updated_at``."""
    for item in items:
        row = state.one("SELECT doc FROM sales_order_item WHERE item_id = ?", item["item_id"])
        if row is not None and unpacked(row["doc"]) != item:
            state.put("sales_order_item", {**item, "updated_at": state.clock.now()}, ("item_id", "order_id"))


def write_payment(state: State, payment: Doc) -> None:
    """Write a whole payment row with the values in hand, however old these are."""
    if payment:
        state.put("sales_order_payment", payment, ("entity_id", "parent_id"))


def show_item(item: Doc, parents: dict[int, Doc] | None = None, *, taxes: bool = True) -> Doc:
    """Return an item as the API shows it, its row totals rewritten.

    ``Model/Order/Webapi/ChangeOutputArray``: the net row total less the discount, and a gross one that is computed.

    Parameters
    ----------
    parents:
        Items of the order as shown, by id, to embed the parent of a child.
    taxes:
        Whether ``itemized_taxes`` are shown.
    """
    hidden = ("itemized_taxes", "row_total_incl_tax", "base_row_total_incl_tax", "product_option")
    shown = without_nulls({name: value for name, value in item.items() if name not in hidden})
    if item.get("product_option"):
        shown["product_option"] = item["product_option"]
    parent = (parents or {}).get(int(item.get("parent_item_id") or 0))
    if parent is not None:
        shown["parent_item"] = parent
    if taxes and "itemized_taxes" in item:
        shown["extension_attributes"] = {"itemized_taxes": item["itemized_taxes"]}
    for prefix in ("", "base_"):
        row, discount = _dec(item, f"{prefix}row_total"), _dec(item, f"{prefix}discount_amount")
        tax = _dec(item, f"{prefix}tax_amount") + _dec(item, f"{prefix}discount_tax_compensation_amount")
        # A discount on gross prices can exceed the net row total (recording `orders/get_free`).
        shown[f"{prefix}row_total"] = number(max(row - discount, Decimal(0)))
        shown[f"{prefix}row_total_incl_tax"] = number(max(row + tax - discount, Decimal(0)))
    return shown


def _dec(doc: Doc, name: str) -> Decimal:
    return Decimal(str(doc.get(name) or 0))


def show_items(items: Sequence[Doc], *, taxes: bool = True) -> list[Doc]:
    """Return the items of one order as the API shows them, children with their parent inside."""
    parents: dict[int, Doc] = {}
    shown = []
    for item in items:
        each = show_item(item, parents, taxes=taxes)
        parents[int(item["item_id"])] = each
        shown.append(each)
    return shown


def show_payment(payment: Doc) -> Doc:
    """Return a payment as the API shows it: its additional information as a list without keys."""
    information = payment.get("additional_information") or {}
    shown = {"account_status": None, "additional_information": list(information.values())}
    return {**shown, **without_nulls({k: v for k, v in payment.items() if k not in shown}), "cc_last4": None}


def show_history(entry: Doc) -> Doc:
    """Return a comment as the API shows it; two of its fields appear as null."""
    shown = {"comment": None, "is_customer_notified": None, **without_nulls(entry)}
    return {name: shown[name] for name in sorted(shown)}


def histories(state: State, order_id: int) -> list[Doc]:
    """Return an order's comments, newest first."""
    newest = "created_at DESC, entity_id DESC"
    return [show_history(entry) for entry in state.docs("sales_order_status_history", "parent_id", order_id, newest)]


def show(state: State, order: Order) -> Doc:
    """Return an order as ``GET /V1/orders/{id}`` does."""
    addresses = state.docs("sales_order_address", "parent_id", order.id, "entity_id")
    by_type = {address["address_type"]: without_nulls(address) for address in addresses}
    items = show_items(order.items)
    shipping: Doc = {}
    if "shipping" in by_type:
        shipping["address"] = by_type["shipping"]
    if order.extra.get("shipping_method"):
        shipping["method"] = order.extra["shipping_method"]
    shipping["total"] = {name: order.header[name] for name in _SHIPPING_TOTALS if name in order.header}
    information = order.payment.get("additional_information") or {}
    taxes = ("applied_taxes", "item_applied_taxes", "taxes", "additional_itemized_taxes")
    return {
        **without_nulls(order.header),
        "items": items,
        "billing_address": by_type.get("billing"),
        "payment": show_payment(order.payment),
        "status_histories": histories(state, order.id),
        "extension_attributes": {
            "shipping_assignments": [{"shipping": shipping, "items": items}],
            "payment_additional_info": [
                {"key": key, "value": "null" if value is None else value} for key, value in information.items()
            ],
            "converting_from_quote": False,
            **{name: order.extra.get(name, []) for name in taxes},
        },
    }


def show_rows(state: State, found: Sequence[sqlite3.Row]) -> list[Doc]:
    """Return a page of orders as the search shows them."""
    orders = (read(state, row["entity_id"]) for row in found)
    return [show(state, order) for order in orders if order is not None]


def take(state: State, shown: dict[str, Any]) -> None:
    """Load an order as the API showed it, so that a simulated shop holds what a real one recorded.

    The row totals are turned back into what the database held; an order of the same id is replaced.
    """
    order: Doc = copy.deepcopy(shown)
    extensions = order.pop("extension_attributes", {})
    assignment = (extensions.get("shipping_assignments") or [{}])[0].get("shipping", {})
    billing, payment, entries = order.pop("billing_address"), order.pop("payment"), order.pop("status_histories", [])
    information = extensions.get("payment_additional_info", [])
    payment["additional_information"] = {
        pair["key"]: None if pair["value"] == "null" else pair["value"] for pair in information
    }
    taxes = ("applied_taxes", "item_applied_taxes", "taxes", "additional_itemized_taxes")
    extra = {"shipping_method": assignment.get("method"), **{name: extensions.get(name, []) for name in taxes}}
    items = [_stored_item(item) for item in order.pop("items")]
    order_id = int(order["entity_id"])
    for table, parent in (
        ("sales_order_item", "order_id"),
        ("sales_order_payment", "parent_id"),
        ("sales_order_address", "parent_id"),
        ("sales_order_status_history", "parent_id"),
    ):
        state.run(f"DELETE FROM {table} WHERE {parent} = ?", order_id)  # noqa: S608 - names of the schema
    state.put("sales_order", order, ("entity_id", *ORDER_COLUMNS), {"extra": packed(extra)})
    for item in items:
        state.put("sales_order_item", item, ("item_id", "order_id"))
        _reserve(state, "order_item", item["item_id"])
        _reserve(state, "quote_item", int(item.get("quote_item_id") or 0))
    for address in (billing, assignment.get("address")):
        if address:
            state.put("sales_order_address", address, ("entity_id", "parent_id", "address_type"))
            _reserve(state, "order_address", address["entity_id"])
    state.put("sales_order_payment", without_nulls(payment), ("entity_id", "parent_id"))
    for entry in entries:
        state.put("sales_order_status_history", entry, ("entity_id", "parent_id", "created_at"))
        _reserve(state, "history", entry["entity_id"])
    _reserve(state, "order", order_id)
    _reserve(state, "quote", int(order.get("quote_id") or 0))
    _reserve(state, f"order/{order['store_id']}", int(str(order["increment_id"])[-9:]))


def _reserve(state: State, sequence: str, taken: int) -> None:
    state.next(sequence, taken)


def _stored_item(item: Doc) -> Doc:
    stored = {name: value for name, value in item.items() if name not in ("parent_item", "extension_attributes")}
    stored["itemized_taxes"] = item.get("extension_attributes", {}).get("itemized_taxes", [])
    for prefix in ("", "base_"):
        gross = _dec(item, f"{prefix}row_total_incl_tax") + _dec(item, f"{prefix}discount_amount")
        tax = _dec(item, f"{prefix}tax_amount") + _dec(item, f"{prefix}discount_tax_compensation_amount")
        stored[f"{prefix}row_total"] = number(gross - tax)
        if item.get("parent_item_id") is None:
            stored[f"{prefix}row_total_incl_tax"] = number(gross)
        else:
            stored.pop(f"{prefix}row_total_incl_tax", None)
    return stored
