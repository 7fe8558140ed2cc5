"""Who did not learn of a customer whom ECC registered: the rules by themselves, and with both systems."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from adapters.contacts.directory import Contact, store
from adapters.contacts.service import contact_of
from adapters.ecc.changed import KnownCustomer
from orderbus.config import load
from orderbus.reconciliation.compare import Terms
from orderbus.reconciliation.customers import compare_customer
from schemas.messages import CustomerRegistered, Registration
from state.database import open_database
from tests.flow.buying import buy, prospect
from tests.reconcile.conftest import World
from tests.stack import DEFAULT_CUSTOMER

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=15)
NUMBER, DEFAULT, OTHER = "0000100001", "0000099999", "0000010001"
TERMS = Terms(timedelta(minutes=15), "automatic", lambda _store, number: number not in {"", DEFAULT})
FACT = CustomerRegistered(
    "1:7",
    "1",
    "default",
    Registration(NUMBER, "0000000009"),
    "a@b.example",
    "a@b.example",
    Decimal(1),
    "EUR",
    LONG_AGO,
    account_id="7",
)
KNOWN = KnownCustomer("1:7", NUMBER, "7", LONG_AGO, FACT)
CONTACT = contact_of(FACT)
ELSEWHERE = replace(CONTACT, sap_customer_number=OTHER)


@pytest.mark.parametrize(
    ("contact", "shown", "expected"),
    [
        (CONTACT, NUMBER, []),
        (CONTACT, None, []),
        (None, None, [("contact-missing", FACT)]),
        (replace(CONTACT, contact_person="0000000008"), NUMBER, [("contact-missing", FACT)]),
        (replace(CONTACT, contact_person="0000000008", registered_at=NOW), NUMBER, []),
        (ELSEWHERE, NUMBER, [("contact-missing", FACT)]),
        (CONTACT, "", [("account-differs", FACT)]),
        (CONTACT, DEFAULT, [("account-differs", FACT)]),
        # Somebody moved the account, or the message was lost: the bus cannot know.
        (CONTACT, OTHER, [("account-differs", None)]),
        (None, OTHER, [("contact-missing", None), ("account-differs", None)]),
        # The account shows what the directory says: nobody moved it, both missed that ECC did.
        (ELSEWHERE, OTHER, [("contact-missing", FACT), ("account-differs", FACT)]),
    ],
)
def test_each_difference_and_what_heals_it(
    contact: Contact | None, shown: str | None, expected: list[tuple[str, object]]
) -> None:
    found = list(compare_customer(KNOWN, contact, shown, NOW, TERMS))
    assert [(one.kind, one.repair) for one in found] == expected
    assert all("b.example" not in one.detail for one in found)


def test_what_changed_a_moment_ago_may_be_on_its_way() -> None:
    recent = replace(KNOWN, changed_at=LONG_AGO + timedelta(seconds=1))
    assert list(compare_customer(recent, None, "", NOW, TERMS)) == []


def test_the_default_number_is_nothing_that_an_account_lacks() -> None:
    fact = replace(FACT, registration=Registration(DEFAULT))
    known = replace(KNOWN, number=DEFAULT, fact=fact)
    assert list(compare_customer(known, contact_of(fact), "", NOW, TERMS)) == []


def test_what_is_no_registration_is_told() -> None:
    (found,) = compare_customer(replace(KNOWN, fact=None, problem="no number"), None, None, NOW, TERMS)
    assert (found.kind, found.detail, found.repair) == ("unreadable", "no number", None)


def test_customers_of_the_window_are_compared_page_by_page(world: World) -> None:
    text = world.stack.config.read_text()
    world.stack.config.write_text(text.replace("\npoll_seconds", "\npage_size = 2\npoll_seconds"))
    accounts: dict[str, str] = {}
    for order_id in buy(world.stack.shop_url, [prospect(number) for number in range(5)]):
        account = str(world.order(order_id)["customer_id"])
        world.hold(order_id, f"1:{account}", MAGENTO_CUSTOMER_ID=account)
        world.register(f"1:{account}")
        accounts[account] = world.registration(f"1:{account}")["KUNNR"]
    *complete, nameless, lost = accounts
    with contextlib.closing(open_database(load(world.stack.config, {}).config.database.url)) as database:
        for account in [*complete, nameless]:
            row = world.registration(f"1:{account}")
            entry = replace(
                CONTACT,
                customer_key=f"1:{account}",
                sap_customer_number=row["KUNNR"],
                registered_at=datetime.fromisoformat(row["REGISTERED_AT"]),
            )
            assert store(database, replace(entry, contact_person="" if account == nameless else row["PARNR"]))
    for account in complete:
        world.write_account(account, accounts[account])

    told = world.reconcile(expect=1)

    assert told.customers() == {
        accounts[nameless]: ["contact-missing", "account-differs"],
        accounts[lost]: ["contact-missing", "account-differs"],
    }
    assert told.counts["contact-missing"] == told.counts["account-differs"] == 2
    customers = [one for one in told.findings if one["sap_customer_number"]]
    assert all(one["repairable"] and one["order_id"] is None for one in customers)
    assert {one["account_id"] for one in customers} == {nameless, lost}
    assert f"the account shows {DEFAULT_CUSTOMER}" in {one["detail"] for one in customers}
    assert ".example" not in json.dumps(told.answer)
    assert f"customer {accounts[lost]} (account {lost}): the directory has no entry" in world.run(expect=1)

    # One that was moved is for people to decide about.
    world.write_account(lost, OTHER)
    moved = [one for one in world.reconcile(expect=1).findings if one["account_id"] == lost]
    assert [one["repairable"] for one in moved] == [False, False]

    assert world.reconcile("--until", "2020-01-01", "--since", "2019-01-01", expect=1).customers() == {}
