"""What people in ECC do: they look through the held orders and register the customers who wait."""

import asyncio
import itertools
from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from adapters.ecc.simulator import customers
from adapters.ecc.simulator.documents import Row
from adapters.ecc.simulator.locks import ForeignLockError
from adapters.ecc.simulator.pending import as_row
from adapters.ecc.simulator.system import RfcSession, System

Char35 = Annotated[str, Meta(max_length=35)]
_ids = itertools.count(1)


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people decide about a customer who waits; what they leave out follows from the held order.

    Either `customer_key` or `all_waiting` is given.
    """

    customer_key: Annotated[str, Meta(max_length=100)] = ""
    all_waiting: bool = False
    """Register every customer key that has uncleared rows and is not registered."""
    by_company: bool = False
    """Accounts whose e-mail addresses share a prefix (``acme.jane@...``) become contact persons of one customer."""
    kunnr: Annotated[str, Meta(max_length=10)] | UnsetType = UNSET
    """Link the customer key to this SAP customer, which exists, in place of a new one; moves a link that is there."""
    company_key: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    """New address; by default the account's without its company prefix."""
    name1: Char35 | UnsetType = UNSET
    first_name: Char35 | UnsetType = UNSET
    last_name: Char35 | UnsetType = UNSET
    sales_area: str | UnsetType = UNSET
    credit_limit: Decimal | UnsetType = UNSET
    credit_area: str | UnsetType = UNSET
    credit_currency: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if bool(self.customer_key) == self.all_waiting:
            raise ValueError("give either customer_key or all_waiting")
        if self.credit_limit is not UNSET and not (self.credit_limit.is_finite() and self.credit_limit >= 0):
            raise ValueError("credit_limit is no amount")
        if self.sales_area is not UNSET and self.sales_area.count("/") != 2:
            raise ValueError("sales_area is not of the form 1000/10/00")


class NotRegisteredError(Exception):
    """A customer could not be registered; says why."""


async def decide(system: System, decision: Decision) -> list[Row]:
    """Register whom a decision is about, and return their registrations (ZORDERBUS_S_CUST).

    Raises
    ------
    NotRegisteredError
        No held order belongs to the key, or the update was terminated.
    ForeignLockError
        Somebody registers this customer at the moment.
    """
    if not decision.all_waiting:
        return [await _register(system, decision.customer_key, decision)]
    waiting = system.database.execute(
        "SELECT DISTINCT customer_key FROM zorderbus_pend p WHERE cleared = ''"
        " AND NOT EXISTS (SELECT 1 FROM zorderbus_cust c WHERE c.customer_key = p.customer_key) ORDER BY customer_key"
    ).fetchall()
    registered = []
    for record in waiting:
        try:
            registered.append(await _register(system, record["customer_key"], decision))
        except ForeignLockError:
            continue
    return registered


async def _register(system: System, key: str, decision: Decision) -> Row:
    found = customers.registration_of(system, key)
    if decision.kunnr is not UNSET and not customers.exists(system, decision.kunnr):
        raise NotRegisteredError(f"customer {decision.kunnr} does not exist")
    if found is not None:
        return found if decision.kunnr is UNSET else customers.move(system, key, decision.kunnr)
    record = system.database.execute(
        "SELECT * FROM zorderbus_pend WHERE customer_key = ? ORDER BY cleared, added_at DESC LIMIT 1", (key,)
    ).fetchone()
    if record is None:
        raise NotRegisteredError("no held order belongs to this customer key")
    customer = _customer(system, as_row(record), decision)
    person = _person()
    lock = customers.lock_argument(customer)
    system.locks.enqueue(lock, person.id, 2)
    try:
        row, written = await customers.create(system, person, customer, origin="people")
    finally:
        system.locks.dequeue(lock, person.id)
    if not written:
        raise NotRegisteredError("the update was terminated; try again")
    return row


def _person() -> RfcSession:
    died = asyncio.get_running_loop().create_future()
    return RfcSession(f"person-{next(_ids)}", "PEOPLE", "EN", lambda: None, died)


def _customer(system: System, held: Row, decision: Decision) -> Row:
    """Return what people enter (ZORDERBUS_S_CUST_IN), and which SAP customer they chose, if they did."""
    local, _, domain = held["EMAIL"].partition("@")
    prefix, dot, contact = local.partition(".")
    is_account = bool(held["MAGENTO_CUSTOMER_ID"] and dot and contact)
    first, _, last = (contact if is_account else local).partition(".")
    company = f"{held['WEBSITE']}:company:{prefix.lower()}" if is_account and decision.by_company else ""
    name = prefix if is_account else " ".join(filter(None, (first, last)))
    area, currency = next(iter(system.config.credit_areas.items()))
    given = {field: value for field, value in asdict(decision).items() if value is not UNSET}
    sales_org, channel, division = str(given.get("sales_area", system.config.sales_areas[0])).split("/")
    return {
        "CUSTOMER_KEY": held["CUSTOMER_KEY"],
        "KUNNR": given.get("kunnr", ""),
        "COMPANY_KEY": given.get("company_key", company),
        "EMAIL": given.get("email", f"{contact}@{domain}" if is_account else held["EMAIL"]),
        "ORIGINAL_EMAIL": held["EMAIL"],
        "NAME1": given.get("name1", name.title()[:35]),
        "FIRST_NAME": given.get("first_name", first.title()[:35] if last else ""),
        "LAST_NAME": given.get("last_name", (last or first).title()[:35]),
        "SALES_ORG": sales_org,
        "DISTR_CHAN": channel,
        "DIVISION": division,
        "CREDIT_AREA": given.get("credit_area", area),
        "CREDIT_LIMIT": given.get("credit_limit", system.config.credit_limit),
        "CREDIT_CURRENCY": given.get("credit_currency", currency),
        "MAGENTO_CUSTOMER_ID": held["MAGENTO_CUSTOMER_ID"],
        "STORE": held["STORE"],
        "WEBSITE": held["WEBSITE"],
    }
