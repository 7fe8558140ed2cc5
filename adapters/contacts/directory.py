"""The directory of contact persons: whom ECC's sales orders of a customer name beside the sold-to party."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct, structs

from schemas.failures import Permanent
from state.database import Database, Row, Value

PAGE = 1000
"""Rows read at once when the whole directory is listed."""
LENGTHS = {
    "customer_key": 100,
    "sap_customer_number": 10,
    "contact_person": 10,
    "email": 512,
    "original_email": 512,
    "account_id": 64,
    "website": 64,
    "store": 64,
    "first_name": 512,
    "last_name": 512,
}
"""Characters that the columns of the table ``contact`` take."""

_STORE = """
    INSERT INTO contact (
        customer_key, sap_customer_number, contact_person, email, original_email, website, store, registered_at,
        account_id, first_name, last_name
    ) VALUES (
        :customer_key, :sap_customer_number, :contact_person, :email, :original_email, :website, :store, :registered_at,
        :account_id, :first_name, :last_name
    )
    ON CONFLICT (customer_key) DO UPDATE SET
        sap_customer_number = excluded.sap_customer_number,
        contact_person = excluded.contact_person,
        email = excluded.email,
        website = excluded.website,
        store = excluded.store,
        registered_at = excluded.registered_at,
        account_id = excluded.account_id,
        first_name = excluded.first_name,
        last_name = excluded.last_name
    WHERE contact.registered_at <= excluded.registered_at
    RETURNING customer_key
"""
"""The first address stays: by the second registration the shop may hold the new format already."""
_CONTACT_PERSON = """
    SELECT contact_person FROM contact
    WHERE customer_key = :customer_key AND sap_customer_number = :sap_customer_number
"""
_CONTACT = """
    SELECT customer_key, sap_customer_number, contact_person, email, original_email, website, store, registered_at,
        account_id, first_name, last_name
    FROM contact WHERE customer_key = :customer_key
"""
_PAGE = """
    SELECT customer_key, sap_customer_number, contact_person, email, original_email, website, store, registered_at,
        account_id, first_name, last_name
    FROM contact WHERE customer_key > :after ORDER BY customer_key LIMIT :limit
"""


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


def store(database: Database, contact: Contact) -> bool:
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
    values = structs.asdict(contact)
    _refuse_what_does_not_fit(values)
    return bool(database.execute(_STORE, values))


def contact_person_of(database: Database, customer_key: str, sap_customer_number: str) -> str | None:
    """Return the number of the customer's contact person at a SAP customer, or ``None`` when there is none.

    An account that was moved to another SAP customer has no contact person there until ECC says so: ECC refuses an
    order whose contact person is another customer's.
    """
    values = {"customer_key": customer_key, "sap_customer_number": sap_customer_number}
    rows = database.execute(_CONTACT_PERSON, values)
    return str(rows[0][0]) or None if rows else None


def contacts_of(database: Database, customer_keys: Iterable[str]) -> dict[str, Contact]:
    """Return the entries of these customer keys, by key; what is not there is missing."""
    # No database keeps a NUL, and PostgreSQL does not even look for one.
    wanted = [{"customer_key": key} for key in customer_keys if "\0" not in key]
    with database.begin() as transaction:
        found = map(_contact, transaction.execute_each(_CONTACT, wanted))
    return {contact.customer_key: contact for contact in found}


def contacts(database: Database) -> Iterator[Contact]:
    """Yield every contact in order of customer key, a page at a time."""
    after = ""
    while True:
        page = [_contact(row) for row in database.execute(_PAGE, {"after": after, "limit": PAGE})]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].customer_key


def _contact(row: Row) -> Contact:
    return Contact(**dict(zip(Contact.__struct_fields__, row, strict=True)))


def _refuse_what_does_not_fit(values: Mapping[str, Value]) -> None:
    """Refuse on either database what PostgreSQL alone would, and SQLite would keep."""
    for name, length in LENGTHS.items():
        value = values[name]
        if not isinstance(value, str):
            continue
        if len(value) > length:
            raise Permanent(
                f"The customer's {name} has {len(value)} characters, the directory of contacts takes {length}.",
                "Correct the customer in ECC, then retry this dead letter.",
            )
        if "\0" in value:
            raise Permanent(
                f"The customer's {name} holds a NUL character.",
                "Correct the customer in ECC, then retry this dead letter.",
            )
