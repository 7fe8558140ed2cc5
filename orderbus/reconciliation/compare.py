"""What is wrong with an order, by what both sides say of it: pure rules, each difference with what heals it.

`compare` looks at one order. What heals is always a message that the normal flow would send, so that healing needs no
code of its own: a handler that did its work before does it again, and finds it done or does it now.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from adapters.ecc.changed import correlation_of
from adapters.ecc.standing import PendingRow, Registered, SalesOrder, Standing
from adapters.magento.history import ShopOrder
from schemas.identifiers import alpha
from schemas.messages import Body, OrderReleased, OrderSynced, OrderWithdrawn
from schemas.order import OrderRef

Kind: TypeAlias = Literal[
    "matched",
    "in-flight",
    "waiting",
    "not-due",
    "missing-in-ecc",
    "missing-number-in-magento",
    "different-number-in-magento",
    "pending-though-registered",
    "release-lease-expired",
    "registration-missing",
    "flag-not-set",
    "cancelled-while-waiting",
    "totals-differ",
    "duplicate-in-ecc",
    "contact-missing",
    "account-differs",
    "unreadable",
]
FINE: tuple[Kind, ...] = ("matched", "in-flight", "waiting", "not-due")
"""Kinds that nobody need do anything about."""
KINDS: dict[Kind, str] = {
    "matched": "one sales order, its number in the shop, totals and flag as they should be",
    "in-flight": "on its way, or changed a moment ago",
    "waiting": "held until people register its customer",
    "not-due": "the gates hold it back, or it was cancelled before it reached ECC",
    "missing-in-ecc": "due, and neither a sales order nor an open pending row",
    "missing-number-in-magento": "a sales order whose number the shop's order does not carry",
    "different-number-in-magento": "the shop's order carries another number than its sales order",
    "pending-though-registered": "an open row whose customer is registered, and nobody released it",
    "release-lease-expired": "handed out, and it did not arrive before its lease ended",
    "registration-missing": "an open row whose customer should have been registered by now",
    "flag-not-set": "a sales order, and its pending row still open",
    "cancelled-while-waiting": "cancelled or deleted in the shop, and its pending row still open",
    "totals-differ": "the sales order's net value or currency is not the shop's",
    "duplicate-in-ecc": "more than one sales order",
    "contact-missing": "a registered customer whom the directory of contacts lacks, or knows otherwise",
    "account-differs": "a registered customer whose account in the shop carries another number, or none",
    "unreadable": "what one side says cannot be an order, or a customer",
}
"""Every kind, in words."""


class CustomerRef(Struct, frozen=True):
    """Which registered customer."""

    key: str
    """The customer key; a guest's holds an e-mail address, so it is not shown."""
    number: str
    """KUNNR, as ECC holds it."""
    account_id: str | None = None

    @property
    def subject(self) -> str:
        """CloudEvents subject of a message about the customer: none."""
        return ""

    @property
    def correlation_id(self) -> str:
        """The correlation id that ``ecc-registrations`` gives what it publishes of the customer."""
        return correlation_of(self.key)


class PlaceAgain(Struct, frozen=True):
    """Stands for the OrderPlaced of an order, to be made of what the shop shows at that moment."""

    ref: OrderRef


Repair: TypeAlias = Body | PlaceAgain


class Finding(Struct, frozen=True):
    """One thing found about one order, or one customer."""

    kind: Kind
    ref: OrderRef | CustomerRef
    detail: str = ""
    """In a sentence's worth of words, without personal data."""
    repair: Repair | None = None
    """What heals it; ``None`` where nothing is to be done, or a person has to decide."""


class Terms(Struct, frozen=True):
    """What the comparison depends on beside the two sides."""

    grace: timedelta
    """How long something may take before it counts as lost."""
    registration: Literal["automatic", "manual"]
    """As `adapters.ecc.config.EccConfig.registration`."""
    is_real: Callable[[str, str], bool]
    """Tells for a store and a SAP customer number whether the number is a customer's own, and not the default."""


def compare(shop: ShopOrder | None, ecc: Standing, ref: OrderRef, terms: Terms) -> list[Finding]:
    """Return what there is to say about an order, at least one finding.

    Parameters
    ----------
    shop:
        The order in the shop; ``None`` where the shop has none of this id, which leaves the row in ECC.
    ecc:
        Asked after the shop was, so that what is missing there was not on its way.
    """
    problem = ecc.problem or (shop.problem if shop else "")
    if shop is not None and shop.ref != ref and not problem:
        problem = f"order {ref.order_id} of the shop is {shop.ref.store}-{shop.ref.increment_id}"
    if problem:
        return [Finding("unreadable", ref, problem)]
    if ecc.sales_orders:
        return list(_taken(shop, ecc, ref, terms)) or [Finding("matched", ref)]
    if ecc.row is not None and not ecc.row.cleared:
        return [_waiting(shop, ecc, ecc.row, terms)]
    return [_absent(shop, ecc, ref, terms)]


def _taken(shop: ShopOrder | None, ecc: Standing, ref: OrderRef, terms: Terms) -> Iterator[Finding]:
    """Look at an order that ECC holds as a sales order."""
    first = ecc.sales_orders[0]
    numbers = [order.number for order in ecc.sales_orders]
    settled = had_time(first.created_at, ecc.now, terms)
    agreed = shop is not None and shop.number in {"", first.number} and len(numbers) == 1
    # With several sales orders, another number or no order in the shop, a person has to decide which side is right.
    synced = OrderSynced(ref, first.number, first.sold_to, existed=True) if agreed else None
    if len(numbers) > 1:
        yield Finding("duplicate-in-ecc", ref, f"sales orders {', '.join(numbers[:10])}")
    if shop is not None:
        if shop.number and alpha(shop.number) not in numbers:
            detail = f"sales order {first.number}, the shop shows {shop.number[:64]}"
            yield Finding("different-number-in-magento", ref, detail)
        if not shop.number:
            kind: Kind = "missing-number-in-magento" if settled else "in-flight"
            yield Finding(kind, ref, f"sales order {first.number}", synced if settled else None)
        yield from (Finding("totals-differ", ref, detail) for detail in _differences(shop, ecc.sales_orders))
    if ecc.row is not None and not ecc.row.cleared:
        kind = "flag-not-set" if settled else "in-flight"
        yield Finding(kind, ref, f"sales order {first.number}", synced if settled else None)


def _differences(shop: ShopOrder, orders: tuple[SalesOrder, ...]) -> Iterator[str]:
    for order in orders:
        if (order.net, order.currency) != (shop.net, shop.currency):
            yield (
                f"sales order {order.number} has a net value of {order.net.normalize():f} {order.currency}, "
                f"the shop's order {shop.net.normalize():f} {shop.currency}"
            )


def _absent(shop: ShopOrder | None, ecc: Standing, ref: OrderRef, terms: Terms) -> Finding:
    """Look at an order that ECC holds neither as a sales order nor as an open row."""
    if shop is None or shop.finished:
        return Finding("not-due", ref, "cancelled or deleted")
    if shop.closed_gate:
        return Finding("not-due", ref, shop.closed_gate)
    if shop.unchanged_for < terms.grace.total_seconds():
        return Finding("in-flight", ref)
    if shop.number:
        return Finding("missing-in-ecc", ref, f"the shop shows number {shop.number[:64]}")
    if ecc.row is not None:
        # Placed again it would find its row closed, and nothing more would happen.
        return Finding("missing-in-ecc", ref, f"its pending row was closed as {ecc.row.reason or 'done'}")
    return Finding("missing-in-ecc", ref, repair=PlaceAgain(ref))


def _waiting(shop: ShopOrder | None, ecc: Standing, row: PendingRow, terms: Terms) -> Finding:
    """Look at an open row without a sales order."""
    registered = ecc.registration
    leased = row.leased_until is not None and row.leased_until > ecc.now
    # In the same second either may have come first: to release once more does no harm, to release too little does.
    outdated = registered is not None and row.leased_at is not None and registered.changed_at >= row.leased_at
    if leased and not outdated:
        return Finding("in-flight", row.ref, "handed out")
    if shop is None or shop.finished:
        reason: Literal["cancelled", "deleted"] = "deleted" if shop is None else "cancelled"
        return Finding("cancelled-while-waiting", row.ref, reason, OrderWithdrawn(row.ref, reason))
    if registered is None:
        return _unregistered(row, ecc, terms)
    return _unreleased(row, registered, ecc, terms, leased=leased)


def _unregistered(row: PendingRow, ecc: Standing, terms: Terms) -> Finding:
    if terms.registration == "manual":
        return Finding("waiting", row.ref)
    if not had_time(row.added_at, ecc.now, terms):
        return Finding("in-flight", row.ref)
    # Placed again it is held again, and so asks for its customer's registration.
    return Finding("registration-missing", row.ref, f"held since {row.added_at:%Y-%m-%d %H:%MZ}", PlaceAgain(row.ref))


def _unreleased(row: PendingRow, registered: Registered, ecc: Standing, terms: Terms, *, leased: bool) -> Finding:
    fact = registered.fact
    number = fact.registration.sap_customer_number
    if not terms.is_real(row.ref.store, number):
        detail = f"its customer is registered under {number}, the store's default"
        return Finding("pending-though-registered", row.ref, detail)
    if not had_time(max(registered.changed_at, row.added_at), ecc.now, terms):
        return Finding("in-flight", row.ref)
    if leased:
        # Whoever asks for the customer's rows gets none that is leased; this one went out with the numbers of before.
        detail = f"handed out before its customer became {number}"
        repair = OrderReleased(row.ref, fact.customer_key, fact.registration)
        return Finding("pending-though-registered", row.ref, detail, repair)
    if row.leased_until is not None:
        return Finding("release-lease-expired", row.ref, f"ended {row.leased_until:%Y-%m-%d %H:%MZ}", fact)
    return Finding("pending-though-registered", row.ref, f"its customer is {number}", fact)


def had_time(moment: datetime | None, now: datetime, terms: Terms) -> bool:
    """Tell whether what happened at a moment should have arrived by now; what is not dated should."""
    return moment is None or now - moment >= terms.grace
