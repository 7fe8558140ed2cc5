"""What people do to an order: hold, cancel, comment, invoice and ship it, as Magento 2.4.7 answers."""

from decimal import Decimal
from typing import Any

from . import criteria, fields, rows
from .answers import ApiError, internal_error, not_found, number, required
from .call import Call
from .criteria import Table, columns
from .orders import found
from .placement import increment_id
from .rows import Order
from .state import Doc, State, unpacked, without_nulls

CURRENCY = ("base_currency_code", "global_currency_code", "order_currency_code", "store_currency_code")
RATES = ("base_to_global_rate", "base_to_order_rate", "store_to_base_rate", "store_to_order_rate")
PREFIXES = ("", "base_")
_CLOSED = ("canceled", "closed", "complete")


def dec(doc: Doc, name: str) -> Decimal:
    """Return a number of a row; an absent one is zero."""
    return Decimal(str(doc.get(name) or 0))


def top(order: Order) -> list[Doc]:
    """Return the items that are sold, without the children of configurables and bundles."""
    return [item for item in order.items if item.get("parent_item_id") is None]


def open_quantity(item: Doc, done: str) -> Decimal:
    """Return what is left of an item to invoice or to ship.

    Parameters
    ----------
    done:
        ``"qty_invoiced"`` or ``"qty_shipped"``.
    """
    gone = dec(item, "qty_canceled")
    if done == "qty_shipped":
        if item.get("is_virtual"):
            return Decimal(0)
        gone += dec(item, "qty_refunded") if dec(item, "qty_shipped") < dec(item, "qty_refunded") else Decimal(0)
    return max(dec(item, "qty_ordered") - dec(item, done) - gone, Decimal(0))


def wanted_quantities(order: Order, given: Any, done: str) -> dict[int, Decimal]:
    """Return how much of each item a body asks for; everything that is left where it says nothing.

    Raises
    ------
    ApiError
        400 where more is asked for than is left.
    """
    left = {int(item["item_id"]): open_quantity(item, done) for item in top(order)}
    if not given:
        return {item_id: quantity for item_id, quantity in left.items() if quantity > 0}
    asked = {}
    for each in given if isinstance(given, list) else []:
        item_id = int(fields.cast("order_item_id", each.get("order_item_id"), "int") or 0)
        quantity = Decimal(str(fields.cast("qty", each.get("qty"), "float") or 0))
        if quantity > left.get(item_id, Decimal(0)):
            raise ApiError(400, _too_much(order, item_id, done))
        asked[item_id] = quantity
    return {item_id: quantity for item_id, quantity in asked.items() if quantity > 0}


def _too_much(order: Order, item_id: int, done: str) -> str:
    sku = next((item["sku"] for item in order.items if item["item_id"] == item_id), item_id)
    kind, verb = ("Invoice", "invoice") if done == "qty_invoiced" else ("Shipment", "ship")
    left = "uninvoiced" if done == "qty_invoiced" else "unshipped"
    return (
        f"{kind} Document Validation Error(s):\n"
        f'The quantity to {verb} must not be greater than the {left} quantity for product SKU "{sku}".'
    )


def settle(order: Order) -> Doc:
    """Return state and status after an invoice, shipment or refund."""
    state = order.header.get("state")
    if state in ("canceled", "holded"):
        return {}
    ready = all(
        open_quantity(item, "qty_invoiced") == 0 and open_quantity(item, "qty_shipped") == 0 for item in top(order)
    )
    if ready and dec(order.header, "total_refunded") >= dec(order.header, "grand_total") > 0:
        return {"state": "closed", "status": "closed"}
    if ready:
        return {"state": "complete", "status": "complete"}
    # Only the way out of "new" moves the status; a status that somebody set stays.
    return {"state": "processing", "status": "processing"} if state == "new" else {}


def save_document(call: Call, kind: str, order: Order, doc: Doc) -> Doc:
    """Write an invoice, shipment or credit memo; return it with its ids and times."""
    state = call.shop.state
    now = state.clock.now()
    doc = {
        **doc,
        "entity_id": state.next(kind),
        "increment_id": increment_id(call.shop, kind, int(order.header["store_id"])),
        "order_id": order.id,
        "store_id": order.header["store_id"],
        "billing_address_id": order.header.get("billing_address_id"),
        "shipping_address_id": _shipping_address(state, order),
        "created_at": now,
        "updated_at": now,
        "comments": [],
    }
    body = call.body if isinstance(call.body, dict) else {}
    comment = call.object("comment")
    if comment.get("comment") and body.get("appendComment", body.get("append_comment")):
        added = {
            "is_customer_notified": int(bool(body.get("notify"))),
            "parent_id": doc["entity_id"],
            "comment": comment["comment"],
            "is_visible_on_front": comment.get("is_visible_on_front", 0),
            "created_at": now,
            "entity_id": state.next(f"{kind}_comment"),
        }
        doc["comments"] = [added]
    if body.get("notify"):
        doc["email_sent"] = 1
    for item in doc["items"]:
        item |= {"entity_id": state.next(f"{kind}_item"), "parent_id": doc["entity_id"]}
    doc = without_nulls(doc)
    state.put(f"sales_{kind}", doc, ("entity_id", "order_id"))
    return doc


def _shipping_address(state: State, order: Order) -> int | None:
    addresses = state.docs("sales_order_address", "parent_id", order.id, "entity_id")
    return next((int(each["entity_id"]) for each in addresses if each["address_type"] == "shipping"), None)


def documents(table: str) -> Table:
    """Return the searchable table of invoices, shipments or credit memos."""
    types = dict.fromkeys(("entity_id", "order_id", "store_id", "state"), "int")
    types |= dict.fromkeys(("increment_id", "created_at", "updated_at"), "string")
    types |= dict.fromkeys(("grand_total", "base_grand_total", "total_qty"), "float")
    real = {name: name for name in ("entity_id", "order_id")}
    return Table(table, "entity_id", columns(types, real, lambda _field: internal_error()))


async def search_documents(call: Call, table: str) -> Doc:
    """``GET /V1/invoices``, ``/V1/shipments`` and ``/V1/creditmemos``."""
    wanted = call.criteria()
    page = criteria.find(call.shop.state.connection, documents(table), wanted)
    return criteria.answer([unpacked(row["doc"]) for row in page.rows], page, wanted)


async def get_document(call: Call, table: str) -> Doc:
    """``GET /V1/invoices/{id}`` and its like."""
    docs = call.shop.state.docs(table, "entity_id", call.id, "entity_id")
    if not docs:
        raise not_found()
    return docs[0]


async def ship(call: Call) -> str:
    """``POST /V1/order/{id}/ship``; an order need not be invoiced first."""
    order = found(call.shop.state, call.id)
    state = call.shop.state
    given = call.body if isinstance(call.body, dict) else {}
    wanted = wanted_quantities(order, given.get("items"), "qty_shipped")
    reasons = []
    if not wanted or order.header.get("state") in ("canceled", "holded"):
        reasons.append("The order does not allow a shipment to be created.")
    if not wanted:
        reasons.append("You can't create a shipment without products.")
    if reasons:
        raise ApiError(400, "\n".join(["Shipment Document Validation Error(s):", *reasons]))
    await call.service_time()
    with state.transaction():
        shipped = [_ship_item(item, wanted[int(item["item_id"])]) for item in top(order) if item["item_id"] in wanted]
        total = sum(wanted.values(), Decimal(0))
        doc = {
            "packages": [],
            "total_qty": number(total),
            "items": shipped,
            "extension_attributes": {"source_code": "default"},
        }
        shipment = save_document(call, "shipment", order, doc)
        shipment["tracks"] = [_track(state, order, shipment["entity_id"], each) for each in given.get("tracks") or []]
        state.put("sales_shipment", shipment, ("entity_id", "order_id"))
        rows.change_header(state, order.id, settle(order))
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
    return str(shipment["entity_id"])


def _ship_item(item: Doc, quantity: Decimal) -> Doc:
    item["qty_shipped"] = number(dec(item, "qty_shipped") + quantity)
    names = ("name", "price", "product_id", "sku", "weight")
    return {**{name: item.get(name) for name in names}, "order_item_id": item["item_id"], "qty": number(quantity)}


def _track(state: State, order: Order, shipment_id: int, given: Doc) -> Doc:
    now = state.clock.now()
    return {
        "order_id": order.id,
        "created_at": now,
        "entity_id": state.next("track"),
        "parent_id": shipment_id,
        "updated_at": now,
        "weight": given.get("weight"),
        "qty": given.get("qty"),
        "description": given.get("description"),
        "track_number": given.get("track_number"),
        "title": given.get("title"),
        "carrier_code": given.get("carrier_code"),
    }


async def add_track(call: Call) -> Doc:
    """``POST /V1/shipment/track``."""
    given = call.object("entity")
    if not given:
        raise required("entity")
    state = call.shop.state
    docs = state.docs("sales_shipment", "entity_id", int(given.get("parent_id") or 0), "entity_id")
    if not docs:
        raise not_found()
    shipment = docs[0]
    order = found(state, int(shipment["order_id"]))
    with state.transaction():
        track = _track(state, order, shipment["entity_id"], given)
        shipment["tracks"] = [*shipment.get("tracks", []), track]
        state.put("sales_shipment", shipment, ("entity_id", "order_id"))
    return track


async def add_invoice_comment(call: Call) -> Doc:
    """``POST /V1/invoices/comments``."""
    given = call.object("entity")
    if not given:
        raise required("entity")
    state = call.shop.state
    docs = state.docs("sales_invoice", "entity_id", int(given.get("parent_id") or 0), "entity_id")
    if not docs:
        raise not_found()
    invoice = docs[0]
    with state.transaction():
        names = ("is_customer_notified", "parent_id", "comment", "is_visible_on_front")
        added = {**{name: given.get(name) for name in names}, "entity_id": state.next("invoice_comment")}
        invoice["comments"] = [*invoice["comments"], {**added, "created_at": state.clock.now()}]
        state.put("sales_invoice", invoice, ("entity_id", "order_id"))
    return added


async def cancel(call: Call) -> bool:
    """``POST /V1/orders/{id}/cancel``: true, or false where it cannot be cancelled any more."""
    state = call.shop.state
    order = found(state, call.id)
    header = order.header
    open_items = [item for item in top(order) if open_quantity(item, "qty_invoiced") > 0]
    if header.get("state") in (*_CLOSED, "holded") or not open_items:
        return False
    await call.service_time()
    with state.transaction():
        for item in open_items:
            part = open_quantity(item, "qty_invoiced") / dec(item, "qty_ordered")
            item["qty_canceled"] = number(dec(item, "qty_ordered") - dec(item, "qty_invoiced"))
            item["tax_canceled"] = number(dec(item, "tax_amount") * part)
            item["discount_tax_compensation_canceled"] = number(dec(item, "discount_tax_compensation_amount") * part)
        changes: Doc = {"state": "canceled", "status": "canceled"}
        for prefix in PREFIXES:
            for name, whole, done in (
                ("subtotal", "subtotal", "subtotal_invoiced"),
                ("tax", "tax_amount", "tax_invoiced"),
                ("shipping", "shipping_amount", "shipping_invoiced"),
                ("discount", "discount_amount", "discount_invoiced"),
                ("total", "grand_total", "total_paid"),
            ):
                left = abs(dec(header, prefix + whole)) - abs(dec(header, prefix + done))
                changes[f"{prefix}{name}_canceled"] = number(left)
        rows.change_header(state, order.id, changes)
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
    return True


async def hold(call: Call) -> bool:
    """``POST /V1/orders/{id}/hold``."""
    state = call.shop.state
    order = found(state, call.id)
    if order.header.get("state") not in ("new", "processing"):
        raise ApiError(400, "A hold action is not available.")
    before = {"hold_before_state": order.header.get("state"), "hold_before_status": order.header.get("status")}
    return await _change(call, order, {**before, "state": "holded", "status": "holded"})


async def unhold(call: Call) -> bool:
    """``POST /V1/orders/{id}/unhold``."""
    order = found(call.shop.state, call.id)
    if order.header.get("state") != "holded":
        raise ApiError(400, "You cannot remove the hold.")
    back = {"state": order.header.get("hold_before_state"), "status": order.header.get("hold_before_status")}
    return await _change(call, order, {**back, "hold_before_state": None, "hold_before_status": None})


async def _change(call: Call, order: Order, changes: Doc) -> bool:
    state = call.shop.state
    await call.service_time()
    with state.transaction():
        rows.change_header(state, order.id, changes)
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
    return True


async def send_email(call: Call) -> bool:
    """``POST /V1/orders/{id}/emails``."""
    found(call.shop.state, call.id)
    return True


async def add_comment(call: Call) -> bool:
    """``POST /V1/orders/{id}/comments``: adds a row with each call, and leaves ``updated_at`` alone."""
    given = call.body.get("statusHistory", call.body.get("status_history")) if isinstance(call.body, dict) else None
    if not isinstance(given, dict):
        raise required("statusHistory")
    entry = fields.checked("history", given)
    state = call.shop.state
    order = found(state, call.id)
    current = order.header.get("status")
    status = entry.get("status")
    if status is not None and status != current:
        message = 'Unable to add comment: The status "%1" is not part of the order\n                 status history.'
        raise ApiError(400, message, [status])
    await call.service_time()
    with state.transaction():
        row = {
            "comment": entry.get("comment") or None,
            "created_at": entry.get("created_at") or state.clock.now(),
            "entity_id": state.next("history"),
            "is_customer_notified": entry.get("is_customer_notified"),
            "is_visible_on_front": entry.get("is_visible_on_front") or 0,
            "parent_id": order.id,
            "status": current,
        }
        state.put("sales_order_status_history", without_nulls(row), ("entity_id", "parent_id", "created_at"))
        # Adding a comment saves the order with its items and payment as they were read, too.
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
    return True


async def list_comments(call: Call) -> Doc:
    """``GET /V1/orders/{id}/comments``; empty for an order that is not there."""
    order_id = call.id
    entries = call.shop.state.docs("sales_order_status_history", "parent_id", order_id, "entity_id")
    wanted = criteria.equals("parent_id", order_id)
    shown = [rows.show_history(entry) for entry in entries]
    return {"items": shown, "search_criteria": wanted.echo(), "total_count": len(shown)}
