"""Where orders stand in ECC: asked for many at once, read only, a page at a time."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from adapters.ecc.config import EccConfig
from adapters.ecc.keys import order_key
from adapters.ecc.mapping.customer import registered
from adapters.ecc.sessions import Sessions
from adapters.ecc.times import from_ecc
from schemas.failures import Permanent
from schemas.messages import CustomerRegistered
from schemas.order import OrderRef

MOST_KEYS = 1000
"""Keys that Z_ORDERBUS_ORDERS_FIND takes at once."""
FIND, ROWS = "Z_ORDERBUS_ORDERS_FIND", "Z_ORDERBUS_PENDING_GET"


class SalesOrder(Struct, frozen=True):
    """A sales order that carries an order's key."""

    number: str
    """VBELN."""
    sold_to: str
    """KUNNR."""
    net: Decimal
    currency: str
    created_at: datetime | None
    """``None`` where ECC does not say."""


class PendingRow(Struct, frozen=True):
    """An order's row in the pending table."""

    ref: OrderRef
    cleared: bool
    reason: str
    added_at: datetime
    leased_at: datetime | None
    leased_until: datetime | None
    """Both ``None`` where the row was never handed out."""


class Registered(Struct, frozen=True):
    """The registration of a waiting order's customer."""

    fact: CustomerRegistered
    changed_at: datetime


class Standing(Struct, frozen=True):
    """Everything that ECC knows of one order."""

    now: datetime
    """ECC's clock before it looked."""
    sales_orders: tuple[SalesOrder, ...] = ()
    """Lowest number first; more than one is one too many."""
    row: PendingRow | None = None
    registration: Registered | None = None
    """Of the row's customer, while the row is open."""
    problem: str = ""
    """Why what ECC knows cannot be read; nothing else is to be relied on then."""


def standings(sessions: Sessions, config: EccConfig, refs: Sequence[OrderRef]) -> list[Standing]:
    """Return where each order stands, in the order of the references; it blocks.

    Raises
    ------
    Failure
        ECC cannot be asked, or its clock is none.
    """
    found: list[Standing] = []
    for start in range(0, len(refs), MOST_KEYS):
        found += _standings(sessions, config, refs[start : start + MOST_KEYS])
    return found


def open_rows(sessions: Sessions, config: EccConfig) -> Iterator[list[OrderRef]]:
    """Yield the orders of this shop that wait, in pages, oldest first; it blocks.

    Rows whose key is not what this configuration makes of their order are another shop's, and left out.
    """
    after = ""
    more = True
    while more:
        with sessions.take() as session:
            page = session.call(ROWS, IV_AFTER=after, IV_MAX_ROWS=config.page_size, IV_PEEK="X", IV_ONLY_OPEN="X")
        rows = page["ET_ROWS"]
        yield [_ref(row) for row in rows if _is_ours(config, row)]
        more = bool(page["EV_MORE"])
        if more and (not rows or str(rows[-1]["ORDER_KEY"]) == after):
            raise Permanent(
                f"{ROWS} says that there are more rows, but does not go on.",
                "Correct the function module in ECC as docs/ecc-interfaces.md describes it, and retry.",
            )
        after = str(rows[-1]["ORDER_KEY"]) if rows else ""


def _standings(sessions: Sessions, config: EccConfig, refs: Sequence[OrderRef]) -> Iterator[Standing]:
    keys = [_key_or_problem(config, ref) for ref in refs]
    asked = [{"ORDER_KEY": key} for key, _ in keys if key]
    with sessions.take() as session:
        answer = session.call(FIND, IV_FIELD=config.looked_in, IT_KEYS=asked)
    now = from_ecc(str(answer["EV_NOW"]), f"EV_NOW of {FIND}")
    orders: dict[str, list[Mapping[str, Any]]] = {}
    for row in answer["ET_ORDERS"]:
        orders.setdefault(str(row["ORDER_KEY"]), []).append(row)
    rows = {str(row["ORDER_KEY"]): row for row in answer["ET_PENDING"]}
    customers = {str(row["CUSTOMER_KEY"]): row for row in answer["ET_CUSTOMERS"]}
    for key, problem in keys:
        if problem:
            yield Standing(now, problem=problem)
            continue
        row = rows.get(key)
        customer = customers.get(str(row["CUSTOMER_KEY"])) if row is not None and not row["CLEARED"] else None
        yield _standing(now, orders.get(key, ()), row, customer)


def _key_or_problem(config: EccConfig, ref: OrderRef) -> tuple[str, str]:
    try:
        return order_key(config, ref), ""
    except Permanent as failure:
        return "", str(failure)


def _standing(
    now: datetime,
    orders: Sequence[Mapping[str, Any]],
    row: Mapping[str, Any] | None,
    customer: Mapping[str, Any] | None,
) -> Standing:
    try:
        return Standing(
            now=now,
            sales_orders=tuple(sorted(map(_sales_order, orders), key=lambda order: order.number)),
            row=None if row is None else _pending_row(row),
            registration=None if row is None or customer is None else _registration(row, customer),
        )
    except Permanent as failure:
        # One row that somebody spoiled must not keep all others from being compared.
        return Standing(now, problem=str(failure))


def _sales_order(row: Mapping[str, Any]) -> SalesOrder:
    return SalesOrder(
        number=str(row["VBELN"]),
        sold_to=str(row["KUNNR"]),
        net=Decimal(row["NETWR"]),
        currency=str(row["WAERK"]),
        created_at=_moment(row, "CREATED_AT"),
    )


def _pending_row(row: Mapping[str, Any]) -> PendingRow:
    return PendingRow(
        ref=_ref(row),
        cleared=bool(row["CLEARED"]),
        reason=str(row["REASON"]),
        added_at=from_ecc(str(row["ADDED_AT"]), "ADDED_AT"),
        leased_at=_moment(row, "LEASED_AT"),
        leased_until=_moment(row, "LEASED_UNTIL"),
    )


def _registration(row: Mapping[str, Any], customer: Mapping[str, Any]) -> Registered:
    """Return a customer's registration; the row knows which account its order came from, people may not have said."""
    fact = registered(customer)
    return Registered(
        fact=replace(
            fact,
            website=str(row["WEBSITE"]),
            store=str(row["STORE"]),
            account_id=str(row["MAGENTO_CUSTOMER_ID"]) or None,
            email=fact.email or str(row["EMAIL"]),
            original_email=fact.original_email or str(row["EMAIL"]),
        ),
        changed_at=from_ecc(str(customer["CHANGED_AT"]), "CHANGED_AT"),
    )


def _is_ours(config: EccConfig, row: Mapping[str, Any]) -> bool:
    return _key_or_problem(config, _ref(row))[0] == str(row["ORDER_KEY"])


def _ref(row: Mapping[str, Any]) -> OrderRef:
    return OrderRef(
        store=str(row["STORE"]), order_id=str(row["MAGENTO_ORDER_ID"]), increment_id=str(row["INCREMENT_ID"])
    )


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    return from_ecc(str(row[name]), name) if row[name] else None
