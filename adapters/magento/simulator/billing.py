"""Invoices and refunds of an order, with the amounts that they leave on it."""

from decimal import Decimal

from . import rows
from .answers import ApiError, number
from .call import Call
from .lifecycle import CURRENCY, PREFIXES, RATES, dec, save_document, settle, top, wanted_quantities
from .orders import found
from .pricing import cents
from .rows import Order
from .state import Doc

SYMBOLS = {"EUR": "€", "USD": "$"}
_SHUT = ("payment_review", "holded", "canceled", "complete", "closed")
_ITEM_AMOUNTS = (
    ("tax_amount", "tax_invoiced"),
    ("discount_amount", "discount_invoiced"),
    ("discount_tax_compensation_amount", "discount_tax_compensation_invoiced"),
    ("row_total", "row_invoiced"),
)


async def invoice(call: Call) -> str:
    """``POST /V1/order/{id}/invoice``: writes items and payment with what it read at its beginning, as a save does."""
    state = call.shop.state
    order = found(state, call.id)
    given = call.body if isinstance(call.body, dict) else {}
    wanted = wanted_quantities(order, given.get("items"), "qty_invoiced")
    _invoiceable(order, wanted)
    await call.service_time()
    with state.transaction():
        lines = [_invoice_item(item, wanted[int(item["item_id"])]) for item in top(order) if item["item_id"] in wanted]
        with_shipping = "shipping_invoiced" not in order.header
        doc = _document(order, lines, with_shipping=with_shipping)
        if with_shipping:
            names = ("shipping_discount_tax_compensation_amount", "base_shipping_discount_tax_compensation_amnt")
            doc |= dict.fromkeys(names, 0)
        doc |= {"can_void_flag": 0, "state": 2, "total_qty": number(sum(wanted.values(), Decimal(0)))}
        saved = save_document(call, "invoice", order, doc)
        changes = _after_invoice(order, saved)
        order.header |= changes
        rows.change_header(state, order.id, changes | settle(order))
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
    return str(saved["entity_id"])


def _invoiceable(order: Order, wanted: dict[int, Decimal]) -> None:
    reasons = []
    shut = order.header.get("state") in _SHUT
    if not wanted:
        reasons.append("The invoice can't be created without products. Add products and try again.")
    if shut:
        status = order.header.get("status")
        reasons.append(f"An invoice cannot be created when an order has a status of {status}")
    elif not wanted:
        reasons.append("The order does not allow an invoice to be created.")
    if reasons:
        raise ApiError(400, "\n".join(["Invoice Document Validation Error(s):", *reasons]))


def _share(item: Doc, name: str, done: str, quantity: Decimal, before: Decimal) -> Decimal:
    """Return the part of an amount that falls on a quantity; the last part takes what rounding left."""
    if before + quantity >= dec(item, "qty_ordered"):
        return dec(item, name) - dec(item, done)
    return cents(dec(item, name) * quantity / dec(item, "qty_ordered"))


def _invoice_item(item: Doc, quantity: Decimal) -> Doc:
    before = dec(item, "qty_invoiced")
    line: Doc = {name: item.get(name) for name in ("name", "product_id", "sku")}
    for prefix in PREFIXES:
        amounts = {name: _share(item, prefix + name, prefix + done, quantity, before) for name, done in _ITEM_AMOUNTS}
        for name, done in _ITEM_AMOUNTS:
            item[prefix + done] = number(dec(item, prefix + done) + amounts[name])
        gross = cents(dec(item, f"{prefix}price_incl_tax") * quantity)
        line |= {
            f"{prefix}discount_tax_compensation_amount": number(amounts["discount_tax_compensation_amount"]),
            f"{prefix}price": item.get(f"{prefix}price"),
            f"{prefix}price_incl_tax": item.get(f"{prefix}price_incl_tax"),
            f"{prefix}row_total": number(amounts["row_total"]),
            f"{prefix}row_total_incl_tax": number(gross),
            f"{prefix}tax_amount": number(amounts["tax_amount"]),
        }
        if amounts["discount_amount"]:
            line[f"{prefix}discount_amount"] = number(amounts["discount_amount"])
    item["qty_invoiced"] = number(before + quantity)
    item["weee_tax_applied"] = "[]"
    return {**line, "order_item_id": item["item_id"], "qty": number(quantity)}


def _document(order: Order, lines: list[Doc], *, with_shipping: bool) -> Doc:
    header = order.header
    doc: Doc = {name: header.get(name) for name in (*CURRENCY, *RATES)}
    for prefix in PREFIXES:
        net, tax, compensation, discount, gross = (
            sum((dec(line, prefix + name) for line in lines), Decimal(0))
            for name in (
                "row_total", "tax_amount", "discount_tax_compensation_amount", "discount_amount", "row_total_incl_tax",
            )
        )  # fmt: skip
        shipping = dec(header, f"{prefix}shipping_amount") if with_shipping else Decimal(0)
        shipping_tax = dec(header, f"{prefix}shipping_tax_amount") if with_shipping else Decimal(0)
        if with_shipping:
            doc |= {
                f"{prefix}shipping_amount": number(shipping),
                f"{prefix}shipping_incl_tax": header.get(f"{prefix}shipping_incl_tax"),
                f"{prefix}shipping_tax_amount": number(shipping_tax),
            }
        doc |= {
            f"{prefix}discount_amount": number(-discount),
            f"{prefix}discount_tax_compensation_amount": number(compensation),
            f"{prefix}grand_total": number(net + tax + compensation - discount + shipping + shipping_tax),
            f"{prefix}subtotal": number(net),
            f"{prefix}subtotal_incl_tax": number(gross),
            f"{prefix}tax_amount": number(tax + shipping_tax),
        }
    return {**doc, "items": lines}


def _after_invoice(order: Order, saved: Doc) -> Doc:
    header, payment = order.header, order.payment
    changes: Doc = {"base_total_invoiced_cost": 0}
    for prefix in PREFIXES:
        paid = dec(saved, f"{prefix}grand_total")
        total = dec(header, f"{prefix}total_paid") + paid
        changes |= {
            f"{prefix}total_paid": number(total),
            f"{prefix}total_invoiced": number(dec(header, f"{prefix}total_invoiced") + paid),
            f"{prefix}total_due": number(dec(header, f"{prefix}grand_total") - total),
            f"{prefix}discount_invoiced": number(
                dec(header, f"{prefix}discount_invoiced") + dec(saved, f"{prefix}discount_amount")
            ),
        }
        for name in ("subtotal", "tax", "shipping", "discount_tax_compensation"):
            amount = name if name == "subtotal" else f"{name}_amount"
            changes[f"{prefix}{name}_invoiced"] = number(
                dec(header, f"{prefix}{name}_invoiced") + dec(saved, prefix + amount)
            )
        payment[f"{prefix}amount_paid"] = number(dec(payment, f"{prefix}amount_paid") + paid)
        captured = dec(payment, f"{prefix}shipping_captured") + dec(saved, f"{prefix}shipping_amount")
        payment[f"{prefix}shipping_captured"] = number(captured)
    return changes


async def refund(call: Call) -> str:
    """``POST /V1/order/{id}/refund``: an offline credit memo."""
    state = call.shop.state
    order = found(state, call.id)
    given = call.body if isinstance(call.body, dict) else {}
    wanted = _refunded_quantities(order, given)
    arguments = call.object("arguments")
    shipping = _refunded_shipping(order, arguments.get("shipping_amount", arguments.get("shippingAmount")))
    if not wanted and not shipping:
        raise ApiError(
            400,
            "Creditmemo Document Validation Error(s):\n"
            "The credit memo's total must be positive.\nYou can't create a creditmemo without products.",
        )
    await call.service_time()
    with state.transaction():
        lines = [_refund_item(item, wanted[int(item["item_id"])]) for item in top(order) if item["item_id"] in wanted]
        doc = _document(order, lines, with_shipping=shipping)
        doc |= {"adjustment": 0, "base_adjustment": 0, "state": 2}
        saved = save_document(call, "creditmemo", order, doc)
        changes = _after_refund(order, saved)
        changes["customer_note_notify"] = int(bool(given.get("notify")))
        order.header |= changes
        rows.change_header(state, order.id, changes | settle(order))
        rows.write_items(state, order.items)
        rows.write_payment(state, order.payment)
        amount = dec(saved, "base_grand_total")
        symbol = SYMBOLS.get(order.header["base_currency_code"], "")
        entry = {
            "comment": f"We refunded {symbol}{amount:.2f} offline.",
            "created_at": state.clock.now(),
            "entity_id": state.next("history"),
            "entity_name": "creditmemo",
            "is_customer_notified": 0,
            "is_visible_on_front": 0,
            "parent_id": order.id,
            "status": order.header.get("status"),
        }
        state.put("sales_order_status_history", entry, ("entity_id", "parent_id", "created_at"))
    return str(saved["entity_id"])


def _refunded_quantities(order: Order, given: Doc) -> dict[int, Decimal]:
    left = {int(item["item_id"]): dec(item, "qty_invoiced") - dec(item, "qty_refunded") for item in top(order)}
    if not given.get("items"):
        return {item_id: quantity for item_id, quantity in left.items() if quantity > 0}
    asked = {int(each["order_item_id"]): Decimal(str(each["qty"])) for each in given["items"]}
    for item_id, quantity in asked.items():
        if quantity > left.get(item_id, Decimal(0)):
            sku = next((item["sku"] for item in order.items if item["item_id"] == item_id), item_id)
            raise ApiError(
                400,
                "Creditmemo Document Validation Error(s):\n"
                f'The quantity to creditmemo must not be greater than the unrefunded quantity for product SKU "{sku}".',
            )
    return asked


def _refunded_shipping(order: Order, asked: object) -> bool:
    """Return whether the shipping is refunded: all that is left of it, or none; parts are not simulated."""
    left = dec(order.header, "base_shipping_invoiced") - dec(order.header, "base_shipping_refunded")
    if asked is None:
        return left > 0
    amount = Decimal(str(asked))
    if amount > left:
        symbol = SYMBOLS.get(order.header["base_currency_code"], "")
        raise ApiError(400, "Maximum shipping amount allowed to refund is: %1", [f"{symbol}{left:.2f}"])
    if 0 < amount < left:
        raise ApiError(501, "The simulator refunds shipping as a whole or not at all.")
    return amount > 0


def _refund_item(item: Doc, quantity: Decimal) -> Doc:
    part = quantity / dec(item, "qty_ordered")
    line: Doc = {name: item.get(name) for name in ("name", "product_id", "sku")}
    for prefix in PREFIXES:
        net, tax, compensation, discount = (
            cents(dec(item, prefix + name) * part)
            for name in ("row_total", "tax_amount", "discount_tax_compensation_amount", "discount_amount")
        )
        for name, amount in (
            ("amount_refunded", net),
            ("tax_refunded", tax),
            ("discount_refunded", discount),
            ("discount_tax_compensation_refunded", compensation),
        ):
            item[prefix + name] = number(dec(item, prefix + name) + amount)
        line |= {
            f"{prefix}discount_tax_compensation_amount": number(compensation),
            f"{prefix}price": item.get(f"{prefix}price"),
            f"{prefix}price_incl_tax": item.get(f"{prefix}price_incl_tax"),
            f"{prefix}row_total": number(net),
            f"{prefix}row_total_incl_tax": number(cents(dec(item, f"{prefix}price_incl_tax") * quantity)),
            f"{prefix}tax_amount": number(tax),
        }
        if discount:
            line[f"{prefix}discount_amount"] = number(discount)
    item["qty_refunded"] = number(dec(item, "qty_refunded") + quantity)
    weee = {"base_weee_tax_row_disposition": 0, "weee_tax_applied_row_amount": 0, "weee_tax_row_disposition": 0}
    return {
        **line,
        **weee,
        "base_cost": None,
        "weee_tax_applied": "[]",
        "order_item_id": item["item_id"],
        "qty": number(quantity),
    }


def _after_refund(order: Order, saved: Doc) -> Doc:
    header, payment = order.header, order.payment
    changes: Doc = {}
    for prefix in PREFIXES:
        amount = dec(saved, f"{prefix}grand_total")
        for name in ("total_refunded", "total_offline_refunded"):
            changes[prefix + name] = number(dec(header, prefix + name) + amount)
        changes |= {f"{prefix}adjustment_negative": 0, f"{prefix}adjustment_positive": 0}
        for name in ("subtotal", "tax", "shipping", "discount", "discount_tax_compensation"):
            part = name if name == "subtotal" else f"{name}_amount"
            changes[f"{prefix}{name}_refunded"] = number(
                dec(header, f"{prefix}{name}_refunded") + dec(saved, prefix + part)
            )
        shipping_tax = dec(header, f"{prefix}shipping_tax_refunded") + dec(saved, f"{prefix}shipping_tax_amount")
        changes[f"{prefix}shipping_tax_refunded"] = number(shipping_tax)
        payment[f"{prefix}amount_refunded"] = number(dec(payment, f"{prefix}amount_refunded") + amount)
        refunded = dec(payment, f"{prefix}shipping_refunded") + dec(saved, f"{prefix}shipping_amount")
        payment[f"{prefix}shipping_refunded"] = number(refunded)
    return changes
