"""New customers that the bus registers by itself (``automatic``): number, e-mail, account and contact person."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from adapters.magento.simulator import shopper
from tests.flow.buying import Buyer, buy, buy_one, guest, prospect, registered
from tests.flow.conftest import Run, Running
from tests.flow.wire import of_customer, of_order
from tests.stack import ADMIN_TOKEN, DEFAULT_CUSTOMER


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"magento": "create_accounts = true"}) as running:
        yield running


def ordered(system: Running, buyer: Buyer, *, known: bool = False) -> str:
    """Let somebody buy, and wait until the shop carries the sales order's number; return the order's number."""
    number = system.shop.number(buy_one(system.stack.shop_url, buyer, known=known))
    (acknowledged,) = system.wire.wait("order.acknowledged", of_order(number))
    (document,) = system.sales_orders(number)
    assert acknowledged.body["sales_order"] == document["vbeln"]
    return number


def sold_to(system: Running, number: str) -> str:
    (document,) = system.sales_orders(number)
    return str(document["kunnr"])


def contact_partner(system: Running, number: str) -> str:
    """Return the contact person on the sales order of an order; empty without one."""
    (document,) = system.sales_orders(number)
    partners: Any = document["partners"]
    return next((partner["PARTN_NUMB"] for partner in partners if partner["PARTN_ROLE"] == "AP"), "")


def contact(system: Running, key: str) -> dict[str, Any]:
    found = json.loads(system.stack.run("contacts", "list", "--json"))
    return next(one for one in found if one["customer_key"] == key)


def open_account(system: Running, buyer: Buyer) -> None:
    async def open_it() -> None:
        async with aiohttp.ClientSession() as http:
            number = {"sap_customer_number": buyer.number} if buyer.number else {}
            await shopper.open_account(http, system.stack.shop_url, ADMIN_TOKEN, buyer.person, attributes=number)

    asyncio.run(open_it())


def test_a_prospect_becomes_a_customer_of_its_own(system: Running) -> None:
    buyer = prospect(1)
    number = ordered(system, buyer)
    account = system.shop.account("jane1@company1.example")
    customer = sold_to(system, number)
    assert account["attributes"]["sap_customer_number"] == customer != DEFAULT_CUSTOMER
    assert float(account["attributes"]["sap_credit_limit"]) == 5000.0
    known = contact(system, str(system.row(number)["customer_key"]))
    assert known["original_email"] == buyer.person.email
    assert known["email"] == "jane1@company1.example"
    assert known["sap_customer_number"] == customer


@pytest.mark.parametrize("buyer", [guest(11), prospect(12)], ids=["guest", "account"])
def test_orders_that_arrive_together_make_one_customer(system: Running, buyer: Buyer) -> None:
    before = system.stack.ecc_counts()
    ids = set(buy(system.stack.shop_url, [buyer] * 8))
    numbers = [order["increment_id"] for order in system.stack.orders() if order["entity_id"] in ids]
    for number in numbers:
        system.wire.wait("order.acknowledged", of_order(number))
    after = system.stack.ecc_counts()
    assert {name: after[name] - before[name] for name in ("customers", "contacts", "sales_orders", "duplicates")} == {
        "customers": 1,
        "contacts": 1,
        "sales_orders": 8,
        "duplicates": 0,
    }
    assert len({sold_to(system, number) for number in numbers}) == 1
    assert len({contact_partner(system, number) for number in numbers}) == 1


def test_later_orders_of_the_account_carry_its_contact_person(system: Running) -> None:
    buyer = prospect(2)
    first = ordered(system, buyer)
    person = contact(system, str(system.row(first)["customer_key"]))["contact_person"]
    assert person
    assert contact_partner(system, first) == person
    again = Buyer(replace(buyer.person, email="jane2@company2.example"), buyer.number)
    second = ordered(system, again, known=True)
    assert system.rows(second) == [], "the account carries its number by now, so the order need not wait"
    assert sold_to(system, second) == sold_to(system, first)
    assert contact_partner(system, second) == person
    # The directory learns of a customer beside the shop, and so may be behind it when the next order comes.
    key = str(system.row(first)["customer_key"])
    with contextlib.closing(sqlite3.connect(system.stack.directory / "bus.db")) as database, database:
        assert database.execute("DELETE FROM contact WHERE customer_key = ?", (key,)).rowcount == 1
    assert contact_partner(system, ordered(system, again, known=True)) == person


@pytest.mark.parametrize(
    ("index", "company", "number"),
    [(3, "Somebody Else", DEFAULT_CUSTOMER), (4, "", DEFAULT_CUSTOMER), (5, "Company5", "")],
    ids=["another company", "no company", "no default number"],
)
def test_an_e_mail_address_keeps_what_is_no_prefix_of_its_company(
    system: Running, index: int, company: str, number: str
) -> None:
    buyer = Buyer(replace(prospect(index).person, company=company), number)
    order = ordered(system, buyer)
    account = system.shop.account(buyer.person.email)
    assert account["attributes"]["sap_customer_number"] == sold_to(system, order)
    known = contact(system, str(system.row(order)["customer_key"]))
    assert known["email"] == known["original_email"] == buyer.person.email


def test_an_address_in_its_new_format_is_not_transformed_again(system: Running) -> None:
    # Without its prefix the address has the form of a prefixed one, and of its company's at that.
    person = replace(prospect(6).person, email="company6.company6.jane@company6.example")
    first = ordered(system, Buyer(person, DEFAULT_CUSTOMER))
    shorter = "company6.jane@company6.example"
    assert system.shop.number_of_account(shorter) == sold_to(system, first)
    second = ordered(system, Buyer(replace(person, email=shorter), DEFAULT_CUSTOMER), known=True)
    assert system.shop.number_of_account(shorter) == sold_to(system, second) == sold_to(system, first)
    assert contact(system, str(system.row(first)["customer_key"]))["original_email"] == person.email


def test_a_taken_address_passes_with_a_reason_and_the_order_arrives(system: Running) -> None:
    buyer = prospect(7)
    open_account(system, Buyer(replace(buyer.person, email="jane7@company7.example"), "0000010007"))
    number = ordered(system, buyer)
    key = str(system.row(number)["customer_key"])
    for updated in system.wire.wait("customer.updated", of_customer(key)):
        assert "belongs to another account" in updated.body["reason"]
    assert system.shop.number_of_account(buyer.person.email) == sold_to(system, number), "what can be written is"
    assert system.shop.number_of_account("jane7@company7.example") == "0000010007"


def test_a_true_guest_gets_an_account_which_later_orders_adopt(system: Running) -> None:
    buyer = guest(8)
    first = ordered(system, buyer)
    key = str(system.row(first)["customer_key"])
    updated, *_ = system.wire.wait("customer.updated", of_customer(key))
    account = system.shop.account(buyer.person.email)
    assert (updated.body["account_id"], updated.body.get("reason", "")) == (str(account["id"]), "")
    assert account["attributes"]["sap_customer_number"] == sold_to(system, first)
    second = ordered(system, buyer)
    assert sold_to(system, second) == sold_to(system, first)
    for again in system.wire.wait("customer.updated", of_customer(key), count=2):
        assert again.body["account_id"] == str(account["id"])
    assert [one["email"] for one in system.stack.shop_customers()].count(buyer.person.email) == 1


def test_a_guest_with_a_known_address_gets_neither_its_account_nor_its_number(system: Running) -> None:
    owner = registered(9)
    open_account(system, owner)
    before = system.shop.account(owner.person.email)
    number = ordered(system, Buyer(owner.person))
    assert sold_to(system, number) != owner.number
    assert system.shop.account(owner.person.email) == before
    for updated in system.wire.wait("customer.updated", of_customer(str(system.row(number)["customer_key"]))):
        assert "account_id" not in updated.body
        assert "did not create" in updated.body["reason"]
    assert sold_to(system, ordered(system, owner, known=True)) == owner.number


def test_a_guest_with_the_address_of_a_waiting_account_is_another_customer(system: Running) -> None:
    # Without a company the account keeps its address, so that both have the same to the end.
    waiting = Buyer(replace(prospect(10).person, company=""), DEFAULT_CUSTOMER)
    of_account, of_guest = ordered(system, waiting), ordered(system, Buyer(waiting.person))
    assert sold_to(system, of_account) != sold_to(system, of_guest)
    assert contact_partner(system, of_account) != contact_partner(system, of_guest)
    assert system.shop.number_of_account(waiting.person.email) == sold_to(system, of_account)
