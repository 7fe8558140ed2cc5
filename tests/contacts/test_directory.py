"""What the directory of contact persons remembers."""

import datetime as dt
from decimal import Decimal

import msgspec
import pytest

from adapters.contacts import directory
from adapters.contacts.directory import Contact, contact_person_of, contacts, store
from adapters.contacts.service import contact_of, store_contacts
from schemas.envelope import Envelope, Message
from schemas.failures import Permanent
from schemas.messages import CustomerRegistered, Registration
from state.database import Database

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
REGISTERED = CustomerRegistered(
    customer_key="1:42",
    website="1",
    store="default",
    registration=Registration("0000100001", "0000000815"),
    email="jane.doe@acme.example",
    original_email="acme.jane.doe@acme.example",
    credit_limit=Decimal("5000.00"),
    credit_currency="EUR",
    registered_at=NOON,
    account_id="42",
    first_name="Jane",
    last_name="Doe",
)


def changed(contact: Contact, **changes: object) -> Contact:
    return msgspec.structs.replace(contact, **changes)


def test_stored_and_found(database: Database) -> None:
    contact = contact_of(REGISTERED)
    assert contact_person_of(database, "1:42", "0000100001") is None
    assert store(database, contact)
    assert contact_person_of(database, "1:42", "0000100001") == "0000000815"
    assert list(contacts(database)) == [contact]
    assert contact_person_of(database, "1:43", "0000100001") is None
    assert contact_person_of(database, "1:42", "0000100002") is None


def test_again_changes_nothing(database: Database) -> None:
    for _ in range(2):
        assert store(database, contact_of(REGISTERED))
    assert list(contacts(database)) == [contact_of(REGISTERED)]


def test_a_late_older_registration_does_not_overwrite(database: Database) -> None:
    newer = contact_of(REGISTERED)
    older = changed(newer, contact_person="0000000001", registered_at=NOON - dt.timedelta(microseconds=1))
    assert store(database, newer)
    assert not store(database, older)
    assert list(contacts(database)) == [newer]


def test_a_later_one_does_but_for_the_original_address(database: Database) -> None:
    first = contact_of(REGISTERED)
    later = changed(
        first, contact_person="0000000816", original_email=first.email, registered_at=NOON + dt.timedelta(days=1)
    )
    store(database, first)
    assert store(database, later)
    assert list(contacts(database)) == [changed(later, original_email="acme.jane.doe@acme.example")]


def test_a_zone_does_not_decide_which_is_later(database: Database) -> None:
    newer = contact_of(REGISTERED)
    east = dt.timezone(dt.timedelta(hours=9))
    older = changed(newer, contact_person="0000000001", registered_at=dt.datetime(2026, 3, 1, 20, 59, tzinfo=east))
    store(database, newer)
    assert not store(database, older)
    assert contact_person_of(database, "1:42", "0000100001") == "0000000815"


def test_without_a_contact_person_there_is_none(database: Database) -> None:
    store(database, changed(contact_of(REGISTERED), contact_person=""))
    assert contact_person_of(database, "1:42", "0000100001") is None


def test_listed_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "PAGE", 2)
    keys = [f"1:{number}" for number in range(10, 15)]
    for key in keys:
        store(database, changed(contact_of(REGISTERED), customer_key=key))
    assert [contact.customer_key for contact in contacts(database)] == keys


async def test_the_service_records_and_publishes_nothing(database: Database) -> None:
    handle = store_contacts(database)
    envelope = Envelope("1", "/orderbus/test", "orderbus.customer.registered.v1", NOON)
    for _ in range(2):
        assert await handle(Message(envelope, REGISTERED)) == ()  # type: ignore[misc]
    assert contact_person_of(database, "1:42", "0000100001") == "0000000815"


@pytest.mark.parametrize(
    ("field", "value"),
    [("contact_person", "0" * 11), ("customer_key", "1:" + "9" * 99), ("email", "x" * 513), ("last_name", "Doe\0")],
)
def test_what_does_not_fit_is_refused_without_being_quoted(database: Database, field: str, value: str) -> None:
    with pytest.raises(Permanent, match=f"customer's {field} h") as failure:
        store(database, changed(contact_of(REGISTERED), **{field: value}))
    assert value not in str(failure.value)
    assert list(contacts(database)) == []
