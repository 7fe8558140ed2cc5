"""Customers that ECC registered or changed, in order of when that was: read only, a page at a time."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from adapters.ecc.config import EccConfig
from adapters.ecc.mapping.customer import registered
from adapters.ecc.sessions import Sessions
from adapters.ecc.times import from_ecc, to_ecc
from schemas.failures import Permanent
from schemas.messages import CustomerRegistered

CHANGED = "Z_ORDERBUS_CUSTOMERS_CHANGED"
PUBLICATIONS = uuid.UUID("6f0c7a52-3f55-5b39-8f2b-4f8c9f1f7a10")
"""Name space of the ids of what is published of customers."""

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class KnownCustomer(Struct, frozen=True):
    """What ECC says of a customer key."""

    key: str
    number: str
    """KUNNR, as ECC holds it."""
    account_id: str | None
    changed_at: datetime | None = None
    fact: CustomerRegistered | None = None
    """What ``ecc-registrations`` publishes of it; ``None``, as the time is, where there is a problem."""
    problem: str = ""
    """Why what ECC says is no registration."""


class CustomerPage(Struct, frozen=True):
    """Customers in order of their last change, and ECC's clock when it looked."""

    now: datetime
    customers: list[KnownCustomer]


def pages(sessions: Sessions, config: EccConfig, since: str) -> Iterator[Mapping[str, Any]]:
    """Yield the answers of `CHANGED` that hold customers; it blocks.

    Parameters
    ----------
    since:
        IV_SINCE, inclusive; empty begins with the first customer.

    Raises
    ------
    Failure
        ECC cannot be asked, or does not go on behind the last row's pair.
    """
    at, more = (since, ""), True
    while more:
        with sessions.take() as session:
            page = session.call(CHANGED, IV_SINCE=at[0], IV_AFTER_KEY=at[1], IV_MAX_ROWS=config.page_size)
        rows: Rows = page["ET_CUSTOMERS"]
        if rows:
            yield page
        more = bool(page["EV_MORE"])
        if more and (not rows or pair(rows[-1]) == at):
            raise Permanent(
                f"{CHANGED} says that there are more customers, but does not go on.",
                "Correct the function module in ECC as docs/ecc-interfaces.md describes it, and retry.",
            )
        at = pair(rows[-1]) if rows else at


def pair(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what ECC sorts customers by."""
    return str(row["CHANGED_AT"]), str(row["CUSTOMER_KEY"])


def correlation_of(customer_key: str) -> str:
    """Return the correlation id of what is published of a customer; the key of a guest holds an address."""
    return str(uuid.uuid5(PUBLICATIONS, customer_key))


def customers_between(
    sessions: Sessions, config: EccConfig, since: datetime, until: datetime
) -> Iterator[CustomerPage]:
    """Yield the customers that were registered or changed in a span of time, its end excluded; it blocks.

    Raises
    ------
    Failure
        ECC cannot be asked, or its clock is none.
    """
    end = to_ecc(until)
    for page in pages(sessions, config, to_ecc(since)):
        rows = [row for row in page["ET_CUSTOMERS"] if str(row["CHANGED_AT"]) < end]
        yield CustomerPage(from_ecc(str(page["EV_NOW"]), f"EV_NOW of {CHANGED}"), [_known(row) for row in rows])
        if len(rows) < len(page["ET_CUSTOMERS"]):
            return


def _known(row: Mapping[str, Any]) -> KnownCustomer:
    known = KnownCustomer(str(row["CUSTOMER_KEY"]), str(row["KUNNR"]), str(row["MAGENTO_CUSTOMER_ID"]) or None)
    try:
        return replace(known, changed_at=from_ecc(str(row["CHANGED_AT"]), "CHANGED_AT"), fact=registered(row))
    except Permanent as failure:
        # One row that somebody spoiled must not keep all others from being compared.
        return replace(known, problem=str(failure))
