"""The sales order BAPI: what it takes, refuses and keeps."""

from decimal import Decimal
from typing import Any

import pytest

from tests.ecc_simulator.conftest import Ecc, condition, created, messages, opened, order, with_header

SAVED = [("S", "V4", "233"), ("S", "V4", "233"), ("S", "V1", "311")]


def test_success_is_reported_as_sap_does(ecc: Ecc) -> None:
    session = ecc.connect()
    answer = created(session)
    assert answer["SALESDOCUMENT"] == "0000000001"
    assert messages(answer) == SAVED
    assert answer["RETURN"][-1]["MESSAGE"] == "Standard Order 1 has been saved"
    assert opened(session) == ""
    assert session.commit()["TYPE"] == ""
    found = session.call("Z_ORDERBUS_ORDER_OPEN", IV_ORDER_KEY="default-000000001")
    assert found == {"EV_VBELN": "0000000001", "EV_KUNNR": "0000010001", "EV_CUST_KUNNR": "", "EV_CUST_PARNR": ""}


def test_nothing_keeps_a_purchase_order_number_unique(ecc: Ecc) -> None:
    session = ecc.connect()
    for _ in range(2):
        created(session)
        session.commit()
    assert ecc.counts()["duplicates"] == 1
    assert opened(session) == "0000000001"


def test_a_rolled_back_number_leaves_a_gap(ecc: Ecc) -> None:
    session = ecc.connect()
    created(session, "default-1")
    session.rollback()
    created(session, "default-2")
    session.commit()
    assert [order["vbeln"] for order in ecc.get("sales-orders")["items"]] == ["0000000002"]


def test_the_key_is_found_in_the_field_asked_for(ecc: Ecc) -> None:
    session = ecc.connect()
    session.call("BAPI_SALESORDER_CREATEFROMDAT2", **with_header(PURCH_NO_C="PO 7", PURCH_NO_S="default-7"))
    session.commit()
    look = {field: session.call("Z_ORDERBUS_ORDER_OPEN", IV_ORDER_KEY="default-7", IV_FIELD=field) for field in "CS"}
    assert look["C"]["EV_VBELN"] == ""
    assert look["S"]["EV_VBELN"] == "0000000001"


def test_partners_texts_addresses_and_schedules_are_kept(ecc: Ecc) -> None:
    session = ecc.connect()
    partners = [
        {"PARTN_ROLE": "AG", "PARTN_NUMB": "0000010001"},
        {"PARTN_ROLE": "WE", "PARTN_NUMB": "0000010001", "ADDR_LINK": "1"},
    ]
    created(
        session,
        ORDER_PARTNERS=partners,
        PARTNERADDRESSES=[{"ADDR_NO": "1", "NAME": "Jane Doe", "COUNTRY": "DE"}],
        ORDER_TEXT=[{"ITM_NUMBER": "000000", "TEXT_ID": "0001", "TEXT_LINE": "Thank you"}],
    )
    session.commit()
    document = ecc.get("sales-orders")["items"][0]
    assert document["partners"] == [{**row, "ITM_NUMBER": "000000"} for row in partners]
    assert document["addresses"] == [{"ADDR_NO": "1", "NAME": "Jane Doe", "COUNTRY": "DE"}]
    assert document["texts"] == [{"ITM_NUMBER": "000000", "TEXT_ID": "0001", "TEXT_LINE": "Thank you"}]
    assert document["items"][0]["quantity"] == "2"
    assert document["header"]["DIVISION"] == "00"


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (order(ORDER_PARTNERS=[]), "Please enter sold-to party"),
        (order(ORDER_PARTNERS=[{"PARTN_ROLE": "AG", "PARTN_NUMB": "10001"}]), "Customer 10001 does not exist"),
        (order(ORDER_PARTNERS=[{"PARTN_ROLE": "ZZ", "PARTN_NUMB": "0000010001"}]), "Partner function"),
        (order(ORDER_PARTNERS=[*order()["ORDER_PARTNERS"] * 2]), "occurs twice"),
        (
            order(ORDER_PARTNERS=[{"PARTN_ROLE": "AG", "PARTN_NUMB": "0000010001", "ADDR_LINK": "9"}]),
            "not in PARTNERADDRESSES",
        ),
        (
            order(
                ORDER_PARTNERS=[*order()["ORDER_PARTNERS"], {"PARTN_ROLE": "AP", "PARTN_NUMB": "0000000077"}],
            ),
            "Contact person 0000000077",
        ),
        (with_header(DOC_TYPE="XX"), "document type"),
        (with_header(DOC_TYPE=""), "document type"),
        (with_header(SALES_ORG="9999"), "Sales area 9999/10/00"),
        (with_header(CURRENCY="XXX"), "TCURC"),
        (order(SALESDOCUMENTIN="4711"), "external numbers"),
        (order(ORDER_ITEMS_IN=[], ORDER_SCHEDULES_IN=[], ORDER_CONDITIONS_IN=[]), "no items"),
        (order(ORDER_ITEMS_IN=[{"ITM_NUMBER": "000010", "MATERIAL": "mug-01"}]), "Material mug-01"),
        (order(ORDER_ITEMS_IN=[*order()["ORDER_ITEMS_IN"] * 2]), "occurs twice"),
        (order(ORDER_ITEMS_IN=[{**order()["ORDER_ITEMS_IN"][0], "PLANT": "9999"}]), "Plant 9999"),
        (order(ORDER_ITEMS_IN=[{**order()["ORDER_ITEMS_IN"][0], "SALES_UNIT": "PCE"}]), "Unit PCE"),
        (order(ORDER_SCHEDULES_IN=[{"ITM_NUMBER": "000020", "REQ_QTY": Decimal(1)}]), "Schedule line for item 000020"),
        (order(ORDER_CONDITIONS_IN=[condition("ZZZZ", "1")]), "Condition type ZZZZ"),
        (order(ORDER_CONDITIONS_IN=[{**condition("HD00", "1"), "CURRENCY": "USD"}]), "exchange rate"),
        (order(ORDER_CONDITIONS_IN=[condition("HD00", "1000000000")]), "KBETR"),
        (order(ORDER_TEXT=[{"TEXT_LINE": "Thank you"}]), "Text without text ID"),
    ],
)
def test_what_customising_does_not_know_is_an_error(ecc: Ecc, parameters: dict[str, Any], text: str) -> None:
    session = ecc.connect()
    answer = session.call("BAPI_SALESORDER_CREATEFROMDAT2", **parameters)
    errors = [row["MESSAGE"] for row in answer["RETURN"] if row["TYPE"] == "E"]
    assert text in errors[0]
    assert answer["SALESDOCUMENT"] == ""
    assert messages(answer)[-1] == ("E", "V4", "219")
    session.commit()
    assert ecc.counts()["sales_orders"] == 0


def test_every_error_is_reported_at_once(ecc: Ecc) -> None:
    answer = ecc.connect().call(
        "BAPI_SALESORDER_CREATEFROMDAT2", **{**with_header(SALES_ORG="9999", DOC_TYPE="XX"), "ORDER_PARTNERS": []}
    )
    assert messages(answer) == [
        ("E", "V1", "799"),
        ("E", "V1", "799"),
        ("E", "V1", "331"),
        ("E", "V4", "248"),
        ("E", "V4", "248"),
        ("E", "V4", "219"),
    ]


def test_partner_functions_depend_on_the_logon_language(ecc: Ecc) -> None:
    partners = [{"PARTN_ROLE": "SP", "PARTN_NUMB": "0000010001"}]
    assert created(ecc.connect(lang="EN"), ORDER_PARTNERS=partners)["SALESDOCUMENT"]
    assert not created(ecc.connect(lang="DE"), ORDER_PARTNERS=partners)["SALESDOCUMENT"]
    assert created(ecc.connect(lang="DE"))["SALESDOCUMENT"]


def test_a_test_run_checks_and_keeps_nothing(ecc: Ecc) -> None:
    session = ecc.connect()
    answer = created(session, TESTRUN="X")
    assert (answer["SALESDOCUMENT"], messages(answer)) == ("", SAVED[:2])
    session.commit()
    assert ecc.counts()["sales_orders"] == 0
    assert created(session)["SALESDOCUMENT"] == "0000000001"


@pytest.mark.parametrize(("behave", "items"), [("", None), ("R", None), ("P", 1)])
def test_behave_when_error_p_saves_the_items_that_are_sound(ecc: Ecc, behave: str, items: int | None) -> None:
    session = ecc.connect()
    faulty = {"ITM_NUMBER": "000020", "MATERIAL": "NO-SUCH"}
    answer = created(session, ORDER_ITEMS_IN=[*order()["ORDER_ITEMS_IN"], faulty], BEHAVE_WHEN_ERROR=behave)
    session.commit()
    found = ecc.get("sales-orders")["items"]
    assert ("E", "V1", "799") in messages(answer)
    assert [len(document["items"]) for document in found] == ([items] if items else [])


def test_an_item_without_a_schedule_line_has_no_quantity(ecc: Ecc) -> None:
    session = ecc.connect()
    items = [{**order()["ORDER_ITEMS_IN"][0], "TARGET_QTY": Decimal(2)}]
    answer = created(session, ORDER_ITEMS_IN=items, ORDER_SCHEDULES_IN=[])
    assert ("W", "V1", "798") in messages(answer)
    session.commit()
    assert ecc.get("sales-orders")["items"][0]["items"][0]["quantity"] == "0"


def test_flag_structures_decide_which_fields_count(ecc: Ecc) -> None:
    session = ecc.connect()
    flags = {"UPDATEFLAG": "I", **dict.fromkeys(("DOC_TYPE", "SALES_ORG", "DISTR_CHAN", "DIVISION"), "X")}
    answer = created(
        session,
        ORDER_HEADER_INX=flags,
        ORDER_ITEMS_INX=[{"ITM_NUMBER": "000010", "UPDATEFLAG": "I", "MATERIAL": "X"}],
    )
    assert answer["SALESDOCUMENT"]
    session.commit()
    document = ecc.get("sales-orders")["items"][0]
    assert document["purch_no_c"] == ""
    assert document["items"][0]["plant"] == ""
    unflagged = created(session, ORDER_ITEMS_INX=[{"ITM_NUMBER": "000010", "UPDATEFLAG": "I"}])
    assert "Material" in unflagged["RETURN"][0]["MESSAGE"]


def test_the_orders_own_pricing_makes_its_net_value(ecc: Ecc) -> None:
    session = ecc.connect()
    created(
        session,
        ORDER_CONDITIONS_IN=[
            condition("PR00", "27.00", item="000010", COND_P_UNT=Decimal(3)),
            condition("RB00", "-3.00", item="000010"),
            condition("HD00", "5"),
            condition("MWST", "19", item="000010"),
        ],
    )
    session.commit()
    document = ecc.get("sales-orders")["items"][0]
    assert Decimal(document["net_value"]) == Decimal("20.00")
    assert Decimal(document["tax_amount"]) == Decimal("3.80")
