"""Customers are found or created, once however often and by however many threads it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.ecc.connect import open_sessions
from adapters.ecc.customers import register_customers
from adapters.ecc.holds import hold_orders
from adapters.ecc.sessions import Sessions
from adapters.ecc.simulator.faults import ConnectionLost, LockHeld, ReturnMessage, UpdateTerminated
from schemas.failures import Permanent, Transient
from schemas.messages import CustomerRegistered, HoldOrder, RegisterCustomer
from schemas.order import OrderRef
from tests.ecc.conftest import Ecc
from tests.ecc.examples import ADDRESS, PLACED, STORE, customer, handled, message

REGISTER = "Z_ORDERBUS_CUSTOMER_REGISTER"


def register(ecc: Ecc, sessions: Sessions, command: RegisterCustomer, **config: Any) -> list[CustomerRegistered]:
    return handled(register_customers(sessions, ecc.configure(**config)), message(command))


def command(key: str = "1:42", company_key: str = "", **changes: Any) -> RegisterCustomer:
    return RegisterCustomer(
        customer=customer(key, **{"email": "acme.erika@example.com", **changes}),
        email="erika@example.com",
        company_key=company_key,
    )


def in_ecc(ecc: Ecc, kunnr: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in ecc.request("customers")["items"] if c["kunnr"] == kunnr)
    return found


class TestAutomatic:
    """The bus creates customers."""

    def test_a_new_customer_is_created_with_what_the_store_says(self, ecc: Ecc, sessions: Sessions) -> None:
        (made,) = register(ecc, sessions, command())
        assert made.customer_key == "1:42"
        assert (made.website, made.store, made.account_id) == ("1", "default", "42")
        assert len(made.registration.sap_customer_number) == len(made.registration.contact_person) == 10
        assert (made.email, made.original_email) == ("erika@example.com", "acme.erika@example.com")
        assert (made.credit_limit, made.credit_currency) == (Decimal("2500.00"), "EUR")
        master = in_ecc(ecc, made.registration.sap_customer_number)["master"]
        assert (master["NAME1"], master["LAST_NAME"]) == ("Erika Mustermann", "Mustermann")
        assert (master["STREET"], master["REGION"], master["REF_CUSTOMER"]) == ("Am Markt 1", "11", "0000000001")

    def test_again_it_is_found(self, ecc: Ecc, sessions: Sessions) -> None:
        assert register(ecc, sessions, command()) == register(ecc, sessions, command())
        assert ecc.counts()["customers_registered"] == 1

    def test_many_at_once_make_one_customer_and_one_contact_person(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=6))

        def once(_number: int) -> CustomerRegistered:
            while True:
                try:
                    return register(ecc, pool, command())[0]
                except Transient:
                    continue

        with ThreadPoolExecutor(6) as threads:
            assert len(set(threads.map(once, range(12)))) == 1
        pool.close()
        counts = ecc.counts()
        assert (counts["customers_registered"], counts["registrations"]) == (1, 1)

    def test_accounts_of_a_company_share_a_customer_and_not_a_contact(self, ecc: Ecc, sessions: Sessions) -> None:
        (first,) = register(ecc, sessions, command("1:42", "1:company:acme"))
        (second,) = register(ecc, sessions, command("1:43", "1:company:acme"))
        assert first.registration.sap_customer_number == second.registration.sap_customer_number
        assert first.registration.contact_person != second.registration.contact_person

    def test_a_guest_has_no_account(self, ecc: Ecc, sessions: Sessions) -> None:
        (made,) = register(ecc, sessions, command("1:guest:erika@example.com"))
        assert made.account_id is None

    def test_a_company_stands_before_the_person(self, ecc: Ecc, sessions: Sessions) -> None:
        company = "Vereinigte Werkstätten für Kunst und Handwerk AG"
        (made,) = register(ecc, sessions, command(company=company))
        master = in_ecc(ecc, made.registration.sap_customer_number)["master"]
        assert f"{master['NAME1']} {master['NAME2']}" == company
        assert master["LAST_NAME"] == "Mustermann"

    def test_what_ecc_refuses_is_permanent_with_its_text(self, ecc: Ecc, sessions: Sessions) -> None:
        wrong = replace(STORE, reference_customer="4711")
        with pytest.raises(Permanent, match="Reference customer 0000004711 does not exist"):
            register(ecc, sessions, command(), default=wrong)
        assert ecc.counts()["customers_registered"] == 0

    def test_ecc_may_quote_an_address_but_the_error_does_not(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(ReturnMessage(function=REGISTER, message="E-mail erika@example.com is not unique"))
        with pytest.raises(Permanent, match="is not unique") as caught:
            register(ecc, sessions, command())
        assert "erika" not in str(caught.value)

    def test_what_does_not_fit_is_refused_without_saying_it(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent) as caught:
            register(ecc, sessions, command(first_name="Geheim" * 6))
        assert "FIRST_NAME takes 35" in caught.value.cause
        assert "Geheim" not in str(caught.value)

    @pytest.mark.parametrize("when", ["before", "during", "after"])
    def test_a_lost_connection_is_tried_again_and_makes_no_second(
        self, ecc: Ecc, sessions: Sessions, when: Any
    ) -> None:
        ecc.arm(ConnectionLost(function=REGISTER, when=when))
        with pytest.raises(Transient):
            register(ecc, sessions, command())
        ecc.wait_for_updates()
        register(ecc, sessions, command())
        assert ecc.counts()["customers_registered"] == 1

    def test_a_lock_and_a_terminated_update_are_transient(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(UpdateTerminated(function=REGISTER))
        with pytest.raises(Transient, match="S& 101"):
            register(ecc, sessions, command())
        ecc.arm(LockHeld(object="EZORDERBUS_CUST", key="1:42", for_seconds=60))
        with pytest.raises(Transient, match="lock"):
            register(ecc, sessions, command())


class TestManual:
    """People in ECC create customers."""

    def test_nobody_is_created_and_nothing_is_said(self, ecc: Ecc, sessions: Sessions) -> None:
        assert register(ecc, sessions, command(), registration="manual") == []
        assert ecc.counts()["customers_registered"] == 0

    def test_whom_people_registered_leads_on(self, ecc: Ecc, sessions: Sessions) -> None:
        ref = OrderRef(store="default", order_id="1", increment_id="000000001")
        held = HoldOrder(ref=ref, customer=customer(email="acme.erika@example.com"), placed_at=PLACED)
        hold_orders(sessions, ecc.configure())(message(held))
        ecc.request("customers", {"customer_key": "1:42", "credit_limit": "700"})
        (found,) = register(ecc, sessions, command(), registration="manual")
        assert found.credit_limit == 700
        assert found.customer_key == "1:42"
        assert found.registration.sap_customer_number


def test_a_company_name_of_the_address_counts_where_the_account_has_none(ecc: Ecc, sessions: Sessions) -> None:
    (made,) = register(ecc, sessions, command(address=replace(ADDRESS, company="ACME GmbH")))
    assert in_ecc(ecc, made.registration.sap_customer_number)["master"]["NAME1"] == "ACME GmbH"
