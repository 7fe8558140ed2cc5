"""Field lengths and interfaces, and what the client refuses because of them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from adapters.ecc.dictionary import FUNCTIONS, STRUCTURES, Field, misfit
from adapters.ecc.rfc import AbapApplicationError, AbapRuntimeError, RfcError
from tests.ecc_simulator.conftest import Ecc, order, with_header


@pytest.mark.parametrize(
    ("structure", "field", "kind", "length", "decimals"),
    [
        ("BAPISDHD1", "PURCH_NO_C", "CHAR", 35, 0),
        ("BAPISDHD1", "REF_1", "CHAR", 12, 0),
        ("BAPISDITM", "ITM_NUMBER", "NUMC", 6, 0),
        ("BAPISDITM", "MATERIAL", "CHAR", 18, 0),
        ("BAPISCHDL", "REQ_QTY", "QUAN", 13, 3),
        ("BAPICOND", "COND_VALUE", "DEC", 28, 9),
        ("BAPIPARNR", "PARTN_NUMB", "CHAR", 10, 0),
        ("BAPIRET2", "MESSAGE", "CHAR", 220, 0),
        ("BAPISDITMX", "MATERIAL", "CHAR", 1, 0),
        ("BAPISDITMX", "ITM_NUMBER", "NUMC", 6, 0),
        ("ZORDERBUS_S_ROW", "EMAIL", "CHAR", 128, 0),
        ("ZORDERBUS_S_ROW", "LEASE_ID", "CHAR", 36, 0),
    ],
)
def test_fields_have_their_documented_lengths(
    structure: str, field: str, kind: str, length: int, decimals: int
) -> None:
    known = STRUCTURES[structure][field]
    assert (known.kind, known.length, known.decimals) == (kind, length, decimals)


def test_the_partner_number_is_not_called_as_public_code_often_has_it() -> None:
    assert "PARTN_NMBR" not in STRUCTURES["BAPIPARNR"]


def test_every_structure_that_an_interface_names_is_there() -> None:
    for function in FUNCTIONS.values():
        for parameter in (*function.imports.values(), *function.exports.values(), *function.tables.values()):
            assert isinstance(parameter.type, Field) or parameter.type in STRUCTURES


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field("F", "CHAR", 3), "abc"),
        (Field("F", "NUMC", 3), "012"),
        (Field("F", "NUMC", 3), ""),
        (Field("F", "DEC", 5, 2), Decimal("999.99")),
        (Field("F", "DEC", 5, 2), Decimal("1.500000")),
        (Field("F", "DEC", 5, 2), "-999.99"),
        (Field("F", "DEC", 28, 9), Decimal("9" * 19 + ".999999999")),
        (Field("F", "DATS", 8), date(2026, 2, 28)),
        (Field("F", "DATS", 8), "00000000"),
        (Field("F", "INT4", 10), -1),
    ],
)
def test_what_fits(field: Field, value: object) -> None:
    assert misfit(field, value) == ""


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (Field("F", "CHAR", 3), "abcd", "4 characters"),
        (Field("F", "CHAR", 3), "\N{GRINNING FACE}" * 2, "4 characters"),
        (Field("F", "CHAR", 3), "\ud800", "surrogate"),
        (Field("F", "CHAR", 3), 3, "no text"),
        (Field("F", "NUMC", 3), "1a", "digits"),
        (Field("F", "NUMC", 3), "\u0663", "digits"),
        (Field("F", "DEC", 5, 2), Decimal(1000), "3 digits before the point"),
        (Field("F", "DEC", 5, 2), Decimal("0.001"), "3 decimals"),
        (Field("F", "DEC", 5, 2), Decimal("1E+999999"), "before the point"),
        (Field("F", "DEC", 28, 9), Decimal("1E-999999"), "decimals"),
        (Field("F", "DEC", 5, 2), Decimal("NaN"), "no decimal number"),
        (Field("F", "DEC", 5, 2), "ten", "no decimal number"),
        (Field("F", "DATS", 8), "20260230", "no date"),
        (Field("F", "INT4", 10), 2**31, "no INT4"),
    ],
)
def test_what_does_not_fit_is_said_without_the_value(field: Field, value: object, reason: str) -> None:
    said = misfit(field, value)
    assert reason in said
    assert "F takes" in said


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (with_header(REF_1="thirteen char"), "RFC_CONVERSION_FAILURE"),
        (with_header(PURCH_NO="1"), "RFC_INVALID_PARAMETER"),
        (order(ORDER_LINES=[]), "RFC_INVALID_PARAMETER"),
        (order(ORDER_PARTNERS=[{"PARTN_ROLE": "AG", "PARTN_NMBR": "0000010001"}]), "RFC_INVALID_PARAMETER"),
        (order(ORDER_SCHEDULES_IN=[{"REQ_QTY": Decimal("1.0001")}]), "RFC_CONVERSION_FAILURE"),
    ],
)
def test_the_client_refuses_what_the_interface_does_not_take(ecc: Ecc, changes: dict[str, Any], key: str) -> None:
    session = ecc.connect()
    with pytest.raises(RfcError) as error:
        session.call("BAPI_SALESORDER_CREATEFROMDAT2", **changes)
    assert error.value.key == key
    assert ecc.counts()["calls"] == {}


def test_an_int_is_no_packed_number(ecc: Ecc) -> None:
    with pytest.raises(TypeError):
        ecc.connect().call("BAPI_SALESORDER_CREATEFROMDAT2", **order(ORDER_SCHEDULES_IN=[{"REQ_QTY": 2}]))


def test_a_mandatory_parameter_that_is_missing_ends_in_an_error(ecc: Ecc) -> None:
    parameters = order()
    del parameters["ORDER_PARTNERS"]
    with pytest.raises(AbapRuntimeError, match="ORDER_PARTNERS"):
        ecc.connect().call("BAPI_SALESORDER_CREATEFROMDAT2", **parameters)


def test_an_unknown_function_module_is_named(ecc: Ecc) -> None:
    with pytest.raises(AbapApplicationError) as error:
        ecc.connect().call("Z_NOT_THERE")
    assert error.value.key == "FU_NOT_FOUND"


def test_interfaces_can_be_asked_for(ecc: Ecc) -> None:
    rows = ecc.connect().call("RFC_GET_FUNCTION_INTERFACE", FUNCNAME="Z_ORDERBUS_PENDING_ADD")["PARAMS"]
    assert [(row["PARAMCLASS"], row["PARAMETER"], row["TABNAME"]) for row in rows] == [
        ("I", "IS_PENDING", "ZORDERBUS_S_PEND"),
        ("E", "EV_EXISTED", ""),
        ("E", "ES_ROW", "ZORDERBUS_S_ROW"),
    ]
