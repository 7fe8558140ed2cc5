"""Reading and saving orders, ``GET`` and ``POST /V1/orders``, with the odd answer and the real one's lost update."""

from typing import Any

from . import criteria, fields, rows
from .answers import ApiError, internal_error, not_found, number, required
from .call import Call
from .fields import stored
from .rows import Order
from .state import Doc, State, unpacked, without_nulls


def found(state: State, order_id: int) -> Order:
    """Return an order by its entity id.

    Raises
    ------
    ApiError
        400 for 0, 404 where there is none.
    """
    if order_id == 0:
        raise ApiError(400, "An ID is needed. Set the ID and try again.")
    order = rows.read(state, order_id)
    if order is None:
        raise not_found()
    return order


async def get(call: Call) -> Doc:
    """``GET /V1/orders/{id}``."""
    return rows.show(call.shop.state, found(call.shop.state, call.id))


async def search(call: Call) -> Doc:
    """``GET /V1/orders``."""
    wanted = call.criteria()
    page = criteria.find(call.shop.state.connection, rows.ORDERS, wanted)
    return criteria.answer(rows.show_rows(call.shop.state, page.rows), page, wanted)


async def search_items(call: Call) -> Doc:
    """``GET /V1/orders/items``."""
    wanted = call.criteria()
    page = criteria.find(call.shop.state.connection, rows.ITEMS, wanted)
    items = [rows.show_item(unpacked(row["doc"]), taxes=False) for row in page.rows]
    return criteria.answer(items, page, wanted)


async def status(call: Call) -> str | None:
    """``GET /V1/orders/{id}/statuses``."""
    value: str | None = found(call.shop.state, call.id).header.get("status")
    return value


async def save(call: Call) -> Doc:
    """``POST /V1/orders`` and ``PUT /V1/orders/create``.

    Of the order's own row only the given columns are written. All rows of its items and its payment are written
    too, with the values that were read *before* the request's service time went by, unless the body brings them:
    whatever another request wrote to them meanwhile, an invoice for one, is lost without an error.
    """
    given = _given(call)
    state = call.shop.state
    order = rows.read(state, int(given.get("entity_id") or 0))
    payment = given.get("payment")
    if order is None and not payment:
        raise ApiError(400, "Please provide payment for the order.")
    if order is None:
        raise ApiError(
            501, "The simulator creates orders through carts only, not through an order that brings its payment."
        )
    if payment is not None and not payment.get("method"):
        raise ApiError(400, "The payment method you requested is not available.")
    _unique(state, order, given)
    await call.service_time()
    with state.transaction():
        changes = _header_changes(order, given)
        rows.change_header(state, order.id, changes)
        items = _save_items(state, order, given)
        _save_payment(state, order, payment)
        entries = _save_histories(state, order, given)
    return _answer(state, order, given, changes, items, entries)


def _given(call: Call) -> Doc:
    body = call.body
    if not isinstance(body, dict) or not isinstance(body.get("entity"), dict):
        raise required("entity")
    given = fields.checked("order", body["entity"], "order_extension")
    limit = call.shop.config.limits.max_array_items
    if limit is not None and len(given.get("items") or []) > limit:
        parameters = {"type": "\\Magento\\Sales\\Api\\Data\\OrderItemInterface", "max": limit}
        raise ApiError(400, 'Maximum items of type "%type" is %max', parameters)
    for name, kind in (("items", "item"), ("status_histories", "history")):
        if given.get(name) is not None:
            given[name] = [fields.checked(kind, each) for each in given[name]]
    for name, kind in (("payment", "payment"), ("billing_address", "address")):
        if given.get(name) is not None:
            given[name] = fields.checked(kind, given[name])
    return given


def _unique(state: State, order: Order, given: Doc) -> None:
    increment = given.get("increment_id")
    if increment is None:
        return
    store = given.get("store_id", order.header["store_id"])
    other = state.one("SELECT entity_id FROM sales_order WHERE increment_id = ? AND store_id = ?", increment, store)
    if other is not None and other["entity_id"] != order.id:
        raise ApiError(400, "Unique constraint violation found")


def _header_changes(order: Order, given: Doc) -> Doc:
    nested = ("items", "billing_address", "payment", "status_histories", "extension_attributes", "entity_id")
    # updated_at cannot be set; the database's own trigger decides it.
    changes = {name: stored(name, value) for name, value in given.items() if name not in (*nested, "updated_at")}
    if changes.get("state") == "processing" and _invoiced(order):
        # Magento's state handler runs on a partial save and takes a fully invoiced order for complete.
        changes |= {"state": "complete", "status": "complete"}
    return changes


def _invoiced(order: Order) -> bool:
    top = [item for item in order.items if item.get("parent_item_id") is None]
    return bool(top) and all(item["qty_invoiced"] >= item["qty_ordered"] for item in top)


def _save_items(state: State, order: Order, given: Doc) -> list[Doc]:
    """Write the items; return what the answer shows of them."""
    if not given.get("items"):
        rows.write_items(state, order.items)
        # Product options are encoded anew, which moves the row's time (recording `order_update/04_*`).
        for item in order.items:
            if item.get("product_option"):
                touched = {**item, "updated_at": state.clock.now()}
                state.put("sales_order_item", touched, ("item_id", "order_id"))
        return rows.show_items(state.docs("sales_order_item", "order_id", order.id, "item_id"), taxes=False)
    shown = []
    for each in given["items"]:
        row = state.one("SELECT doc FROM sales_order_item WHERE item_id = ?", each.get("item_id"))
        if row is None:
            raise internal_error()
        before: Doc = unpacked(row["doc"])
        kept = {name: stored(name, value) for name, value in each.items() if name not in _ITEM_NESTED}
        # An item of another order moves to this one (recording `order_update/44_*`).
        now = {"order_id": order.id, "updated_at": state.clock.now()}
        state.put("sales_order_item", without_nulls({**before, **kept, **now}), ("item_id", "order_id"))
        echoed = {"created_at": before.get("created_at"), "item_id": each["item_id"], "sku": None, **each, **now}
        shown.append(_echo_item(echoed))
    return shown


_ITEM_NESTED = ("extension_attributes", "parent_item", "product_option", "updated_at", "order_id")


def _echo_item(given: Doc) -> Doc:
    echoed = rows.show_item({name: value for name, value in given.items() if name != "extension_attributes"})
    echoed["sku"] = given.get("sku")
    if "extension_attributes" in given:
        echoed["extension_attributes"] = given["extension_attributes"]
    return echoed


def _save_payment(state: State, order: Order, given: Doc | None) -> None:
    if given is None:
        rows.write_payment(state, order.payment)
        return
    current = state.docs("sales_order_payment", "parent_id", order.id, "entity_id")[0]
    information = given.get("additional_information") or []
    kept = {name: stored(name, value) for name, value in given.items() if name != "extension_attributes"}
    # The list is taken for a map, so its keys become positions; without one the information is wiped.
    kept["additional_information"] = {str(index): value for index, value in enumerate(information)}
    rows.write_payment(state, without_nulls({**current, **kept}))


def _save_histories(state: State, order: Order, given: Doc) -> list[Doc] | None:
    entries = given.get("status_histories")
    if not entries:
        return None
    shown = []
    for entry in entries:
        added = {**entry, "entity_id": entry.get("entity_id") or state.next("history"), "parent_id": order.id}
        shown.append(rows.show_history(added))
        row = {"created_at": state.clock.now(), **without_nulls(added)}
        state.put("sales_order_status_history", row, ("entity_id", "parent_id", "created_at"))
    return shown


def _answer(  # noqa: PLR0913, PLR0917 - the answer is made of all of these
    state: State, order: Order, given: Doc, changes: Doc, items: list[Doc], entries: list[Doc] | None
) -> Doc:
    """Return the answer to a save: not the order, but what was sent, with some rows beside it."""
    row = state.one("SELECT doc FROM sales_order WHERE entity_id = ?", order.id)
    header: Doc = unpacked(row["doc"]) if row else order.header
    nested = ("items", "billing_address", "payment", "status_histories", "extension_attributes")
    echo: dict[str, Any] = {name: value for name, value in given.items() if name not in nested and value is not None}
    echo |= {name: changes[name] for name in ("state", "status") if name in changes}
    for prefix in ("", "base_"):
        due = (given.get(f"{prefix}grand_total") or 0) - (given.get(f"{prefix}total_paid") or 0)
        echo.setdefault(f"{prefix}total_due", number(round(max(due, 0), 4)))
    shown: Doc = {
        "base_grand_total": None,
        "customer_email": None,
        "grand_total": None,
        "billing_address_id": header.get("billing_address_id"),
        "created_at": header["created_at"],
        **echo,
        "updated_at": header["updated_at"],
    }
    addresses = state.docs("sales_order_address", "parent_id", order.id, "entity_id")
    billing = next((address for address in addresses if address["address_type"] == "billing"), None)
    shown = {name: shown[name] for name in sorted(shown)}
    shown["items"] = items
    shown["billing_address"] = given.get("billing_address") or billing
    shown["payment"] = _echo_payment(order, given)
    shown["status_histories"] = rows.histories(state, order.id) if entries is None else entries
    if given.get("extension_attributes"):
        shown["extension_attributes"] = _echo_extensions(given["extension_attributes"])
    return shown


def _echo_extensions(given: Doc) -> Doc:
    """Return extension attributes as sent, except that the items inside have their row totals rewritten as well."""
    assignments = given.get("shipping_assignments")
    if not isinstance(assignments, list):
        return given
    echoed = [{**each, "items": [_echo_item(item) for item in each.get("items") or []]} for each in assignments]
    return {**given, "shipping_assignments": echoed}


def _echo_payment(order: Order, given: Doc) -> Doc:
    payment = given.get("payment")
    if payment is None:
        return rows.show_payment(order.payment)
    kept = {
        name: value for name, value in payment.items() if name not in ("additional_information", "extension_attributes")
    }
    information = dict(enumerate(payment.get("additional_information") or []))
    echoed = {
        "entity_id": order.payment["entity_id"],
        "parent_id": order.id,
        **kept,
        "additional_information": information,
    }
    return rows.show_payment(echoed)


async def save_address(call: Call) -> Doc:
    """``PUT /V1/orders/{id}``: an address of the order; the order's ``updated_at`` stays."""
    body = call.body if isinstance(call.body, dict) else {}
    if not isinstance(body.get("entity"), dict):
        raise required("entity")
    given = fields.checked("address", body["entity"])
    state = call.shop.state
    await call.service_time()
    with state.transaction():
        row = state.one("SELECT doc FROM sales_order_address WHERE entity_id = ?", given.get("entity_id"))
        if row is None:
            raise not_found()
        kept = {name: stored(name, value) for name, value in given.items()}
        address = without_nulls({**unpacked(row["doc"]), **kept, "parent_id": call.id})
        state.put("sales_order_address", address, ("entity_id", "parent_id", "address_type"))
    return address
