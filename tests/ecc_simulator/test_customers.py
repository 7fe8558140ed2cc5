"""Registration: whoever asks, however often, a customer is made once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError

import pytest

from adapters.ecc.rfc import AbapApplicationError, CommunicationError, Session
from tests.ecc_simulator.conftest import Ecc, created, customer, order, pending

REGISTER = "Z_ORDERBUS_CUSTOMER_REGISTER"


def register(session: Session, key: str = "1:42", company: str = "", **given: Any) -> Any:
    return session.call(REGISTER, IS_CUSTOMER=customer(key, company, **given))


def hold(ecc: Ecc, *rows: dict[str, str]) -> None:
    session = ecc.connect()
    for row in rows:
        session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)
    session.close()


def test_a_customer_is_created_once_and_found_again(ecc: Ecc) -> None:
    session = ecc.connect()
    made = register(session)
    assert (made["EV_CREATED"], made["RETURN"]) == ("X", [])
    found = register(session, EMAIL="other@example.com")
    assert (found["EV_CREATED"], found["ES_CUSTOMER"]) == ("", made["ES_CUSTOMER"])
    row = made["ES_CUSTOMER"]
    assert (row["KUNNR"], row["PARNR"]) == ("0000100001", "0000000001")
    assert (row["CREDIT_LIMIT"], row["EMAIL"]) == (Decimal("500.00"), "jane.doe@acme.example")
    assert ecc.counts()["customers_registered"] == ecc.counts()["contacts"] == 1


def test_its_numbers_are_good_for_an_order(ecc: Ecc) -> None:
    session = ecc.connect()
    row = register(session)["ES_CUSTOMER"]
    partners = [
        {"PARTN_ROLE": "AG", "PARTN_NUMB": row["KUNNR"]},
        {"PARTN_ROLE": "AP", "PARTN_NUMB": row["PARNR"]},
    ]
    assert created(session, ORDER_PARTNERS=partners)["SALESDOCUMENT"]


def test_find_only_creates_nothing(ecc: Ecc) -> None:
    session = ecc.connect()
    parameters = {"IS_CUSTOMER": customer(), "IV_FIND_ONLY": "X"}
    assert session.call(REGISTER, **parameters)["ES_CUSTOMER"]["KUNNR"] == ""
    assert ecc.counts()["locks"] == 0
    register(session)
    assert session.call(REGISTER, **parameters)["ES_CUSTOMER"]["KUNNR"] == "0000100001"


def test_accounts_of_a_company_share_a_customer_and_not_a_contact_person(ecc: Ecc) -> None:
    session = ecc.connect()
    jane = register(session, "1:42", "1:company:acme")["ES_CUSTOMER"]
    john = register(session, "1:43", "1:company:acme", CREDIT_LIMIT=Decimal(9))
    assert john["EV_CREATED"] == "X"
    assert john["ES_CUSTOMER"]["KUNNR"] == jane["KUNNR"]
    assert john["ES_CUSTOMER"]["PARNR"] != jane["PARNR"]
    assert john["ES_CUSTOMER"]["CREDIT_LIMIT"] == jane["CREDIT_LIMIT"]
    assert (ecc.counts()["customers_registered"], ecc.counts()["contacts"]) == (1, 2)


@pytest.mark.parametrize("company", ["", "1:company:acme"])
def test_however_many_ask_at_once_one_customer_is_made(start_ecc: Callable[..., Ecc], company: str) -> None:
    ecc = start_ecc(latencies={REGISTER: 0.05}, update_seconds=0.05)

    def ask(_: int) -> str:
        while True:
            try:
                kunnr: str = register(ecc.connect(), company=company)["ES_CUSTOMER"]["KUNNR"]
            except AbapApplicationError as error:
                if error.key != "FOREIGN_LOCK":
                    raise
            else:
                return kunnr

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(6))) == {"0000100001"}
    assert ecc.counts()["customers_registered"] == ecc.counts()["contacts"] == 1
    assert ecc.counts()["calls"][REGISTER] > 6, "nobody met a lock"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"REF_CUSTOMER": "1"}, "REF_CUSTOMER"),
        ({"SALES_ORG": "9999"}, "SALES_ORG"),
        ({"CURRENCY": "XXX"}, "CURRENCY"),
        ({"CREDIT_AREA": "9999"}, "CREDIT_AREA"),
        ({"CREDIT_LIMIT": Decimal(-1)}, "CREDIT_LIMIT"),
        ({"EMAIL": "jane"}, "EMAIL"),
        ({"NAME1": ""}, "NAME1"),
        ({"COUNTRY": ""}, "COUNTRY"),
    ],
)
def test_what_customising_does_not_know_creates_nothing(ecc: Ecc, wrong: dict[str, Any], field: str) -> None:
    answer = register(ecc.connect(), **wrong)
    assert [(row["TYPE"], row["FIELD"]) for row in answer["RETURN"]] == [("E", field)]
    assert answer["ES_CUSTOMER"]["KUNNR"] == ""
    assert (ecc.counts()["customers_registered"], ecc.counts()["locks"]) == (0, 0)


def test_a_key_is_needed(ecc: Ecc) -> None:
    with pytest.raises(AbapApplicationError) as error:
        register(ecc.connect(), "")
    assert error.value.key == "INVALID_ARGUMENT"


def test_a_registration_whose_update_fails_creates_nothing_and_says_so(ecc: Ecc) -> None:
    session = ecc.connect()
    ecc.fault("update_terminated", function=REGISTER)
    answer = register(session)
    assert [(row["TYPE"], row["ID"], row["NUMBER"]) for row in answer["RETURN"]] == [("E", "S&", "101")]
    assert ecc.counts()["customers_registered"] == 0
    assert register(session)["EV_CREATED"] == "X"


def test_a_registration_whose_caller_died_is_found_by_the_next(ecc: Ecc) -> None:
    ecc.fault("connection_lost", when="during", function=REGISTER)
    with pytest.raises(CommunicationError):
        register(ecc.connect())
    ecc.eventually(lambda: ecc.counts()["registrations"] == 1)
    assert register(ecc.connect())["EV_CREATED"] == ""


def test_changed_customers_come_in_pages_without_gap_or_repetition(ecc: Ecc) -> None:
    session = ecc.connect()
    for place, number in enumerate((3, 4, 1, 2, 0)):
        register(session, f"1:{number}")
        ecc.clock.advance(2 * (place % 2))
    seen: list[str] = []
    since, after, more = "", "", "X"
    while more:
        page = session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", IV_SINCE=since, IV_AFTER_KEY=after, IV_MAX_ROWS=2)
        seen += [row["CUSTOMER_KEY"] for row in page["ET_CUSTOMERS"]]
        since, after = page["ET_CUSTOMERS"][-1]["CHANGED_AT"], page["ET_CUSTOMERS"][-1]["CUSTOMER_KEY"]
        more = page["EV_MORE"]
    assert seen == ["1:3", "1:4", "1:1", "1:2", "1:0"]
    again = session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", IV_SINCE=since, IV_MAX_ROWS=10)
    assert "1:0" in [row["CUSTOMER_KEY"] for row in again["ET_CUSTOMERS"]]
    assert again["EV_NOW"] >= since


def test_only_customers_with_orders_that_wait(ecc: Ecc) -> None:
    session = ecc.connect()
    register(session, "1:42")
    register(session, "1:43")
    hold(ecc, pending(1, "1:42"), pending(2, "1:43"))
    session.call("Z_ORDERBUS_PENDING_CLEAR", IV_ORDER_KEY="default-000000001", IV_REASON="DELETED")
    page = session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", IV_ONLY_PENDING="X", IV_MAX_ROWS=10)
    assert [row["CUSTOMER_KEY"] for row in page["ET_CUSTOMERS"]] == ["1:43"]


def test_people_register_who_waits(ecc: Ecc) -> None:
    guest = pending(3, "1:guest:bob@b.example", EMAIL="bob@b.example", MAGENTO_CUSTOMER_ID="")
    hold(ecc, pending(1), pending(2), guest)
    made = ecc.post("customers", {"all_waiting": True})["items"]
    assert [(row["customer_key"], row["email"]) for row in made] == [
        ("1:42", "jane.doe@acme.example"),
        ("1:guest:bob@b.example", "bob@b.example"),
    ]
    assert len({row["kunnr"] for row in made}) == 2
    found = ecc.connect().call(REGISTER, IS_CUSTOMER=customer(), IV_FIND_ONLY="X")["ES_CUSTOMER"]
    assert (found["KUNNR"], found["CREDIT_LIMIT"]) == (made[0]["kunnr"], Decimal(1000))
    assert (found["FIRST_NAME"], found["LAST_NAME"]) == ("Jane", "Doe")
    assert ecc.post("customers", {"all_waiting": True})["items"] == []


def test_people_decide_on_e_mail_and_credit(ecc: Ecc) -> None:
    hold(ecc, pending(1))
    body = {"customer_key": "1:42", "email": "jd@acme.example", "credit_limit": "7500.50", "name1": "ACME Inc."}
    made = ecc.post("customers", body)["items"][0]
    assert (made["email"], made["credit_limit"]) == ("jd@acme.example", "7500.50")
    assert ecc.post("customers", body)["items"] == [made]


def test_people_recognise_a_company(ecc: Ecc) -> None:
    hold(ecc, pending(1, "1:42"), pending(2, "1:43", EMAIL="acme.john@acme.example"))
    made = ecc.post("customers", {"all_waiting": True, "by_company": True})["items"]
    assert len({row["kunnr"] for row in made}) == 1
    assert len({row["parnr"] for row in made}) == 2


@pytest.mark.parametrize(
    "body", [{}, {"customer_key": "1:99"}, {"customer_key": "1:42", "all_waiting": True}, {"kunnr": "1"}, []]
)
def test_people_cannot_register_nobody(ecc: Ecc, body: Any) -> None:
    with pytest.raises(HTTPError) as error:
        ecc.post("customers", body)
    assert error.value.code == 400


def test_a_registered_customer_belongs_to_its_sales_area(start_ecc: Callable[..., Ecc]) -> None:
    ecc = start_ecc(sales_areas=("1000/10/00", "2000/10/00"))
    session = ecc.connect()
    kunnr = register(session)["ES_CUSTOMER"]["KUNNR"]
    header = {**order()["ORDER_HEADER_IN"], "SALES_ORG": "2000"}
    answer = created(session, ORDER_HEADER_IN=header, ORDER_PARTNERS=[{"PARTN_ROLE": "AG", "PARTN_NUMB": kunnr}])
    assert "not maintained for sales area 2000/10/00" in answer["RETURN"][0]["MESSAGE"]
