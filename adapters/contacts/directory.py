"""The directory of contact persons: whom ECC's sales orders of a customer name beside the sold-to party."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine, String, select

from adapters.contacts.tables import CONTACT
from schemas.failures import Permanent
from state.dialect import insert

PAGE = 1000
"""Rows read at once when the whole directory is listed."""


class Contact(Struct, frozen=True, kw_only=True):
    """What ECC decided for one customer key."""

    customer_key: str
    sap_customer_number: str
    contact_person: str
    """KNVK-PARNR, ten digits; empty when ECC has none."""
    email: str
    original_email: str
    """As the shop held it before any change of format."""
    website: str
    store: str
    registered_at: datetime
    account_id: str | None = None
    first_name: str = ""
    last_name: str = ""


def store(engine: Engine, contact: Contact) -> bool:
    """Record a contact, unless a later registration of the same customer is recorded already.

    Returns
    -------
    bool
        Whether the directory says now what the contact says; ``False`` where a later one stands.

    Raises
    ------
    Permanent
        A value is longer than its column, or holds a character that no database keeps.
    """
    values = {name: getattr(contact, name) for name in contact.__struct_fields__}
    _refuse_what_does_not_fit(values)
    statement = insert(engine, CONTACT).values(values)
    # The first address stays: by the second registration the shop may hold the new format already.
    changed = {name: value for name, value in values.items() if name not in {"customer_key", "original_email"}}
    upsert = statement.on_conflict_do_update(
        index_elements=[CONTACT.c.customer_key],
        set_=changed,
        where=CONTACT.c.registered_at <= statement.excluded.registered_at,
    ).returning(CONTACT.c.customer_key)
    with engine.begin() as connection:
        return connection.execute(upsert).first() is not None


def contact_person_of(engine: Engine, customer_key: str, sap_customer_number: str) -> str | None:
    """Return the number of the customer's contact person at a SAP customer, or ``None`` when there is none.

    An account that was moved to another SAP customer has no contact person there until ECC says so: ECC refuses an
    order whose contact person is another customer's.
    """
    known = select(CONTACT.c.contact_person).where(
        CONTACT.c.customer_key == customer_key, CONTACT.c.sap_customer_number == sap_customer_number
    )
    with engine.connect() as connection:
        return connection.execute(known).scalar() or None


def contacts(engine: Engine) -> Iterator[Contact]:
    """Yield every contact in order of customer key, a page at a time."""
    after = ""
    while True:
        page = select(CONTACT).where(CONTACT.c.customer_key > after).order_by(CONTACT.c.customer_key).limit(PAGE)
        with engine.connect() as connection:
            rows = connection.execute(page).mappings().all()
        for row in rows:
            yield Contact(**row)
        if len(rows) < PAGE:
            return
        after = rows[-1]["customer_key"]


def _refuse_what_does_not_fit(values: Mapping[str, Any]) -> None:
    """Refuse on either database what PostgreSQL alone would, and SQLite would keep."""
    for name, value in values.items():
        kind = CONTACT.c[name].type
        if not isinstance(value, str) or not isinstance(kind, String) or kind.length is None:
            continue
        if len(value) > kind.length:
            raise Permanent(
                f"The customer's {name} has {len(value)} characters, the directory of contacts takes {kind.length}.",
                "Correct the customer in ECC, then retry this dead letter.",
            )
        if "\0" in value:
            raise Permanent(
                f"The customer's {name} holds a NUL character.",
                "Correct the customer in ECC, then retry this dead letter.",
            )
