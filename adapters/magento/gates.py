"""Which orders are ready: pure rules on an order as Magento shows it, each skip with its reason."""

from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from adapters.magento.config import MagentoConfig
from adapters.magento.rest_types import OrderJson, text

Reason: TypeAlias = Literal["numbered", "state", "status", "payment", "store", "unreadable"]
"""``numbered``: carries an ERP number already. ``state``, ``status``: not among those taken. ``payment``: its
method's gate is closed. ``store``: its store view is not known. ``unreadable``: what Magento says of it cannot be
an order."""

FINISHED_STATES = ("canceled", "closed")
"""States in which an order will never be fulfilled: cancelled, or wholly refunded."""


class Skip(Struct, frozen=True):
    """Why an order is not taken now."""

    reason: Reason
    detail: str


def numbered(order: OrderJson) -> Skip | None:
    """Return a skip when the order carries an external number."""
    number = text(order.ext_order_id)
    return Skip("numbered", f"ext_order_id is {number[:64]}") if number else None


def closed_gate(order: OrderJson, config: MagentoConfig) -> Skip | None:
    """Return why the order is not ready yet, or ``None`` when it is.

    A gate opens later by a change of the order, which moves its ``updated_at``, so that it is read again then.
    """
    state, status = text(order.state), text(order.status)
    if state not in config.states:
        return Skip("state", f"state is {state[:64] or 'empty'}")
    if config.statuses and status not in config.statuses:
        return Skip("status", f"status is {status[:64] or 'empty'}")
    method = text(order.payment.method) if order.payment else ""
    gate = config.payment_gates.get(method, config.payment_gate)
    if gate == "always" or (gate == "paid" and _paid(order)):
        return None
    if gate == "authorized" and (_paid(order) or _authorised(order)):
        return None
    return Skip("payment", f"payment method {method[:64] or 'none'} is taken when {gate}")


def _paid(order: OrderJson) -> bool:
    due = order.total_due if order.total_due is not None else order.grand_total
    return due is not None and due <= 0


def _authorised(order: OrderJson) -> bool:
    payment = order.payment
    if payment is None:
        return False
    if payment.amount_authorized is not None:
        return payment.amount_authorized >= (order.grand_total or Decimal(0)) > 0
    return (payment.base_amount_authorized or Decimal(0)) >= (order.base_grand_total or Decimal(0)) > 0
