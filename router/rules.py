"""The routing rules, a table: which message, under which condition, leads to which command.

`decide` applies the first rule of a message's type whose condition holds.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from router.company import company_key, new_email
from router.policy import RoutingPolicy
from schemas.failures import Permanent
from schemas.identifiers import alpha
from schemas.messages import (
    AddSalesOrder,
    Body,
    Command,
    Customer,
    CustomerUpdated,
    FetchOrder,
    HoldOrder,
    OrderHeld,
    OrderPlaced,
    OrderReleased,
    RegisterCustomer,
    ReleaseOrders,
)


class Rule(Struct, frozen=True):
    """One line of the table."""

    on: type[Body]
    when: str
    """The condition in words."""
    holds: Callable[[RoutingPolicy, Any], bool]
    then: type[Command] | None
    """The command's type; ``None`` where the message is refused."""
    command: Callable[[RoutingPolicy, Any], Command]


def is_real(policy: RoutingPolicy, store: str, number: str) -> bool:
    """Tell whether a SAP customer number names a customer of its own: given, and not the store's default."""
    internal = alpha(number)
    return bool(internal) and internal != policy.default_of(store)


def is_released(_policy: RoutingPolicy, placed: OrderPlaced) -> bool:
    """Tell whether the order was held and is placed again with the numbers it was released with."""
    return placed.release is not None


def is_released_without_number(policy: RoutingPolicy, placed: OrderPlaced) -> bool:
    """Tell whether the released number is empty or the default: held again, the order would go round for ever."""
    release = placed.release
    return release is not None and not is_real(policy, placed.order.ref.store, release.sap_customer_number)


def is_registered(policy: RoutingPolicy, placed: OrderPlaced) -> bool:
    """Tell whether the buyer's account carries a SAP customer number of its own."""
    buyer = placed.order.buyer
    return buyer.account_id is not None and is_real(policy, placed.order.ref.store, buyer.sap_customer_number)


def always(_policy: RoutingPolicy, _body: Body) -> bool:
    """Hold for every message."""
    return True


def refuse_release(_policy: RoutingPolicy, placed: OrderPlaced) -> Command:
    """Refuse an order whose released number is none.

    Raises
    ------
    Permanent
        Always.
    """
    ref = placed.order.ref
    raise Permanent(
        f"Order {ref.increment_id} of store {ref.store} was released with SAP customer number "
        f"{placed.release.sap_customer_number if placed.release else ''!r}, which is empty or the store's default.",
        "Register the customer in ECC with a number of its own, then retry this dead letter's pending row "
        "with `orderbus reconcile --repair`.",
    )


def add_released(_policy: RoutingPolicy, placed: OrderPlaced) -> Command:
    """Write a released order for the customer it was released to."""
    if placed.release is None:
        raise ValueError("only a released order has released numbers")
    return AddSalesOrder(placed.order, alpha(placed.release.sap_customer_number), placed.release.contact_person)


def add_registered(_policy: RoutingPolicy, placed: OrderPlaced) -> Command:
    """Write a registered customer's order straight to ECC."""
    return AddSalesOrder(placed.order, alpha(placed.order.buyer.sap_customer_number))


def hold(policy: RoutingPolicy, placed: OrderPlaced) -> Command:
    """Hold the order of a customer whom ECC does not know."""
    order = placed.order
    buyer = order.buyer
    default = policy.default_of(order.ref.store)
    return HoldOrder(
        ref=order.ref,
        customer=Customer(
            key=buyer.key,
            store=order.ref.store,
            website=order.website,
            email=buyer.email,
            currency=order.currency,
            address=order.billing,
            account_id=buyer.account_id,
            first_name=buyer.first_name or order.billing.first_name,
            last_name=buyer.last_name or order.billing.last_name,
            company=buyer.company or order.billing.company,
            vat_id=buyer.vat_id or order.billing.vat_id,
            carried_default=bool(default) and alpha(buyer.sap_customer_number) == default,
        ),
        placed_at=order.placed_at,
    )


def register(policy: RoutingPolicy, held: OrderHeld) -> Command:
    """Ask for the registration of a held order's customer."""
    return RegisterCustomer(held.customer, new_email(policy, held.customer), company_key(policy, held.customer))


def release(_policy: RoutingPolicy, updated: CustomerUpdated) -> Command:
    """Release the orders that waited, now that the shop knows its customer's number."""
    return ReleaseOrders(updated.customer_key, updated.registration)


def fetch(_policy: RoutingPolicy, released: OrderReleased) -> Command:
    """Read a released order again, since it may have changed while it waited."""
    return FetchOrder(released.ref, released.registration)


RULES: tuple[Rule, ...] = (
    Rule(OrderPlaced, "released, number empty or default", is_released_without_number, None, refuse_release),
    Rule(OrderPlaced, "released", is_released, AddSalesOrder, add_released),
    Rule(OrderPlaced, "account with a number of its own", is_registered, AddSalesOrder, add_registered),
    Rule(OrderPlaced, "otherwise: a guest to ECC", always, HoldOrder, hold),
    Rule(OrderHeld, "always", always, RegisterCustomer, register),
    Rule(CustomerUpdated, "always", always, ReleaseOrders, release),
    Rule(OrderReleased, "always", always, FetchOrder, fetch),
)
"""Every rule, in the order in which they are tried."""

RULES_ON: dict[type[Body], tuple[Rule, ...]] = {
    body: tuple(rule for rule in RULES if rule.on is body) for body in dict.fromkeys(rule.on for rule in RULES)
}
"""The rules of each message type."""


def decide(policy: RoutingPolicy, body: Body) -> tuple[Command, ...]:
    """Return the commands that follow from a message.

    Raises
    ------
    Permanent
        When a rule refuses the message.
    """
    for rule in RULES_ON[type(body)]:
        if rule.holds(policy, body):
            return (rule.command(policy, body),)
    return ()
