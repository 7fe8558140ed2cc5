"""What an order lost between two readings: pure comparison of quantities and payments."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from adapters.magento.rest_types import Amount, InvoiceJson, ItemJson, OrderJson, text

_CANCELLED, _PAID = "3", "2"
"""States of an invoice."""
_NEVER_FALLING = ("qty_shipped", "qty_refunded", "qty_canceled")
_ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Snapshot(Struct, frozen=True):
    """An order and its invoices at one time, the invoices read no later than the order."""

    order: OrderJson
    invoices: Sequence[InvoiceJson]


def losses(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what the order should show and does not, each with both values.

    What stood before must still stand, and what an invoice says must stand in the order, unless it was missing
    before: a lost update leaves the invoice and takes back its traces in the order.
    """
    found = []
    items_before = {text(item.item_id): item for item in before.order.items or []}
    for item in after.order.items or []:
        item_id = text(item.item_id)
        earlier = items_before.get(item_id, ItemJson())
        expected = _expected(
            earlier.qty_invoiced, _invoiced(before.invoices, item_id), _invoiced(after.invoices, item_id)
        )
        if (shown := item.qty_invoiced or _ZERO) < expected:
            found.append(f"item {item_id}: qty_invoiced is {_plain(shown)}, should be {_plain(expected)}")
        for field in _NEVER_FALLING:
            was, now = getattr(earlier, field) or _ZERO, getattr(item, field) or _ZERO
            if now < was:
                found.append(f"item {item_id}: {field} is {_plain(now)}, should be {_plain(was)}")
    expected = _expected(_amount_paid(before.order), _paid(before.invoices), _paid(after.invoices))
    if (shown := _amount_paid(after.order)) < expected - _CENT:
        found.append(f"payment: amount_paid is {_plain(shown)}, should be {_plain(expected)}")
    return found


def _expected(shown_before: Amount, invoices_before: Decimal, invoices_after: Decimal) -> Decimal:
    shown = shown_before or _ZERO
    missing_before = max(invoices_before - shown, _ZERO)
    return max(shown, invoices_after - missing_before)


def _invoiced(invoices: Sequence[InvoiceJson], item_id: str) -> Decimal:
    standing = (invoice for invoice in invoices if text(invoice.state) != _CANCELLED)
    lines = (line for invoice in standing for line in invoice.items or [])
    return sum((line.qty or _ZERO for line in lines if text(line.order_item_id) == item_id), _ZERO)


def _paid(invoices: Sequence[InvoiceJson]) -> Decimal:
    return sum((one.grand_total or _ZERO for one in invoices if text(one.state) == _PAID), _ZERO)


def _amount_paid(order: OrderJson) -> Decimal:
    return (order.payment.amount_paid if order.payment else None) or _ZERO


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
