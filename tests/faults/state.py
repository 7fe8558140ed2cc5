"""What the systems hold at the end of a run, read once, as plain data."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from adapters.contacts.directory import contacts
from bus.config import BrokerConfig
from bus.dead import list_dead
from orderbus.services import TABLE
from state.database import open_database
from tests.faults.bench import Bench
from tests.faults.recovery import Return, Rush
from tests.stack import net_of


class ShopOrder(Struct, frozen=True):
    """An order as the shop shows it."""

    id: int
    number: str
    state: str
    customer_key: str
    """Of its buyer, worked out here and not by the code under test."""
    net: Decimal
    written_back: str
    """``ext_order_id``."""

    @property
    def key(self) -> str:
        """The order's key in ECC."""
        return f"default-{self.number}"


class SalesOrder(Struct, frozen=True):
    """A sales order in ECC."""

    number: str
    key: str
    customer: str
    net: Decimal


class Row(Struct, frozen=True):
    """A row of ECC's pending table."""

    key: str
    customer_key: str
    cleared: str
    reason: str


class Registered(Struct, frozen=True):
    """A customer that ECC has registered."""

    number: str
    keys: tuple[str, ...]
    """Customer keys that are registered under it."""
    contacts: tuple[str, ...]


class Letter(Struct, frozen=True):
    """A dead letter."""

    id: str
    service: str
    reason: str
    message: str
    remedy: str
    order: str
    """Correlation id: store and number of the order that it is about."""


class LostUpdate(Struct, frozen=True):
    """What an order's invoices say, and what the order shows."""

    order: int
    invoiced: Decimal
    shown: Decimal


class Final(Struct, frozen=True, kw_only=True):
    """All that the invariants are about."""

    orders: Sequence[ShopOrder]
    account_numbers: Mapping[str, str]
    """SAP customer number of each account, by customer key."""
    sales_orders: Sequence[SalesOrder]
    rows: Sequence[Row]
    customers: Sequence[Registered]
    """Those that were registered during the run."""
    contacts: Mapping[str, Sequence[str]]
    """The bus's own directory: contact persons by customer key."""
    letters: Sequence[Letter]
    queues: Mapping[str, int]
    lost_updates: Sequence[LostUpdate]
    reported: frozenset[int]
    """Orders whose acknowledgement reports a lost update."""
    exits: Mapping[str, int] = {}
    """Services that ended by themselves with a status other than a supervisor's business."""
    returns: Sequence[Return] = ()
    rushes: Sequence[Rush] = ()


def customer_key(customer_id: int | None, email: str) -> str:
    """Return the key of a buyer of the simulated shop's one website."""
    return f"1:{customer_id}" if customer_id else f"1:guest:{email.strip().lower()}"


def read(bench: Bench, reported: frozenset[int]) -> Final:
    """Read everything.

    Parameters
    ----------
    reported:
        See `Final.reported`.
    """
    stack = bench.stack
    return Final(
        orders=[_order(one) for one in stack.orders()],
        account_numbers={
            customer_key(one["id"], one["email"]): str(one["attributes"].get("sap_customer_number") or "")
            for one in stack.shop_customers()
        },
        sales_orders=[
            SalesOrder(one["vbeln"], one["purch_no_c"], one["kunnr"], Decimal(one["net_value"]))
            for one in stack.sales_orders()
        ],
        rows=[
            Row(one["order_key"], one["customer_key"], one["cleared"], one["reason"]) for one in stack.pending_orders()
        ],
        customers=[_registered(one) for one in stack.ecc_customers() if one["origin"] != "config"],
        contacts=_contacts(bench),
        letters=letters(bench),
        queues=bench.queue_totals(),
        lost_updates=[found for order in sorted(bench.invoiced) if (found := _lost_update(bench, order))],
        reported=reported,
        exits=dict(bench.exits),
        returns=tuple(bench.returns),
        rushes=tuple(bench.rushes),
    )


def letters(bench: Bench) -> list[Letter]:
    """Return the dead letters of every service."""
    return [
        Letter(one.id, one.service, one.reason, one.message, one.remedy, one.correlation_id)
        for one in list_dead(BrokerConfig(url=bench.url()), TABLE, limit=1_000_000)
    ]


def _contacts(bench: Bench) -> dict[str, list[str]]:
    database = open_database(bench.database_url)
    found: dict[str, list[str]] = {}
    try:
        for one in contacts(database):
            found.setdefault(one.customer_key, []).append(one.contact_person)
    finally:
        database.close()
    return found


def _order(one: Mapping[str, Any]) -> ShopOrder:
    return ShopOrder(
        id=int(one["entity_id"]),
        number=str(one["increment_id"]),
        state=str(one["state"]),
        customer_key=customer_key(one["customer_id"], one["customer_email"]),
        net=net_of(one),
        written_back=str(one["ext_order_id"] or ""),
    )


def _registered(one: Mapping[str, Any]) -> Registered:
    keys = tuple(registration["customer_key"] for registration in one["registrations"])
    return Registered(one["kunnr"], keys, tuple(contact["parnr"] for contact in one["contacts"]))


def _lost_update(bench: Bench, order: int) -> LostUpdate | None:
    """Compare an order's items with its invoices, past the bus."""
    shown = bench.shop_call("GET", f"orders/{order}")
    wanted = "searchCriteria[filter_groups][0][filters][0]"
    search = f"{wanted}[field]=order_id&{wanted}[value]={order}"
    invoices = bench.shop_call("GET", f"invoices?{search}")
    assert shown is not None, f"the shop does not show order {order}"
    assert invoices is not None, f"the shop does not show the invoices of order {order}"
    in_order = sum((Decimal(str(item.get("qty_invoiced") or 0)) for item in shown["items"]), Decimal(0))
    in_invoices = sum(
        (Decimal(str(item["qty"])) for invoice in invoices["items"] for item in invoice["items"]), Decimal(0)
    )
    return LostUpdate(order, in_invoices, in_order) if in_order < in_invoices else None
