"""Accounts of one company, where a customer is a company (``customer_is = "company"``)."""

import json
from collections.abc import Iterator

import pytest

from tests.flow.buying import buy, prospect
from tests.flow.conftest import Run, Running


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"router": 'customer_is = "company"'}) as running:
        yield running


def test_accounts_of_one_company_share_a_customer_with_a_contact_person_each(system: Running) -> None:
    acme = [prospect(number, "Acme") for number in range(4)]
    other = prospect(4, "Other")
    buy(system.stack.shop_url, [*acme, other])
    system.stack.wait_finished(5)

    rows = {row["increment_id"]: row["customer_key"] for row in system.stack.pending_orders()}
    company_of = {buyer.person.email.partition(".")[2]: "Acme" for buyer in acme} | {"jane4@other.example": "Other"}
    known = json.loads(system.stack.run("contacts", "list", "--json"))
    assert {one["email"] for one in known} == set(company_of)
    customers = {
        company: {one["sap_customer_number"] for one in known if company_of[one["email"]] == company}
        for company in ("Acme", "Other")
    }
    assert [len(customers["Acme"]), len(customers["Other"])] == [1, 1]
    assert customers["Acme"] != customers["Other"]
    persons = {one["customer_key"]: one["contact_person"] for one in known}
    assert len(set(persons.values()) - {""}) == 5

    for document in system.stack.sales_orders():
        key = rows[document["purch_no_c"].removeprefix("default-")]
        partners = {partner["PARTN_ROLE"]: partner["PARTN_NUMB"] for partner in document["partners"]}
        assert partners["AP"] == persons[key]
    in_ecc = {one["kunnr"]: one["contacts"] for one in system.stack.ecc_customers()}
    (acme_number,) = customers["Acme"]
    assert {one["parnr"] for one in in_ecc[acme_number]} == {
        persons[one["customer_key"]] for one in known if one["sap_customer_number"] == acme_number
    }
    for account in system.stack.shop_customers():
        assert account["attributes"]["sap_customer_number"] in customers[company_of[account["email"]]]
