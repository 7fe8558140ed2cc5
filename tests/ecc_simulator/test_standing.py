"""Z_ORDERBUS_ORDERS_FIND, open rows alone, and the links of customers that people move."""

from decimal import Decimal

import pytest

from adapters.ecc.rfc import AbapApplicationError
from tests.ecc_simulator.conftest import Ecc, created, pending, with_header


def keys(*numbers: int) -> list[dict[str, str]]:
    return [{"ORDER_KEY": f"default-{number:09}"} for number in numbers]


def test_everything_that_is_known_of_orders_is_found_at_once(ecc: Ecc) -> None:
    session = ecc.connect()
    for _ in range(2):
        created(session)
        session.commit()
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(1))
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(2))
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(3, "1:43"))
    session.call("Z_ORDERBUS_PENDING_CLEAR", IV_ORDER_KEY="default-000000003", IV_REASON="CANCELLED")
    for customer in ("1:42", "1:43"):
        ecc.post("customers", {"customer_key": customer})

    found = session.call("Z_ORDERBUS_ORDERS_FIND", IT_KEYS=keys(3, 1, 4, 1))

    assert [(row["ORDER_KEY"], row["VBELN"]) for row in found["ET_ORDERS"]] == [
        ("default-000000001", "0000000001"),
        ("default-000000001", "0000000002"),
    ]
    first = found["ET_ORDERS"][0]
    assert (first["KUNNR"], first["NETWR"], first["WAERK"]) == ("0000010001", Decimal("25.00"), "EUR")
    assert first["CREATED_AT"] <= found["EV_NOW"]
    assert {row["ORDER_KEY"]: row["CLEARED"] for row in found["ET_PENDING"]} == {
        "default-000000001": "",
        "default-000000003": "X",
    }
    # The customer of a row that is closed waits for nothing.
    assert [row["CUSTOMER_KEY"] for row in found["ET_CUSTOMERS"]] == ["1:42"]


def test_the_other_field_may_hold_the_key(ecc: Ecc) -> None:
    session = ecc.connect()
    created(session, **with_header(PURCH_NO_C="4711", PURCH_NO_S="default-000000001"))
    session.commit()
    assert session.call("Z_ORDERBUS_ORDERS_FIND", IT_KEYS=keys(1))["ET_ORDERS"] == []
    found = session.call("Z_ORDERBUS_ORDERS_FIND", IT_KEYS=keys(1), IV_FIELD="S")["ET_ORDERS"]
    assert [row["ORDER_KEY"] for row in found] == ["default-000000001"]


def test_a_thousand_keys_are_the_most(ecc: Ecc) -> None:
    assert ecc.connect().call("Z_ORDERBUS_ORDERS_FIND", IT_KEYS=keys(*range(1000)))["ET_ORDERS"] == []
    with pytest.raises(AbapApplicationError) as error:
        ecc.connect().call("Z_ORDERBUS_ORDERS_FIND", IT_KEYS=keys(*range(1001)))
    assert error.value.key == "INVALID_ARGUMENT"


def test_rows_that_are_open_can_be_looked_at_alone(ecc: Ecc) -> None:
    session = ecc.connect()
    for number in (1, 2, 3):
        session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(number))
    session.call("Z_ORDERBUS_PENDING_CLEAR", IV_ORDER_KEY="default-000000002", IV_REASON="DELETED")
    rows = session.call("Z_ORDERBUS_PENDING_GET", IV_MAX_ROWS=10, IV_PEEK="X", IV_ONLY_OPEN="X")["ET_ROWS"]
    assert [row["MAGENTO_ORDER_ID"] for row in rows] == ["1", "3"]
    assert len(session.call("Z_ORDERBUS_PENDING_GET", IV_MAX_ROWS=10, IV_PEEK="X")["ET_ROWS"]) == 3


def test_people_link_a_customer_to_one_that_exists_and_to_another_later(ecc: Ecc) -> None:
    session = ecc.connect()
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(1))
    before = ecc.counts()["customers"]
    ecc.post("customers", {"customer_key": "1:42", "kunnr": "0000099999"})
    (linked,) = session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", IV_MAX_ROWS=10)["ET_CUSTOMERS"]
    ecc.clock.advance(5)
    ecc.post("customers", {"customer_key": "1:42", "kunnr": "0000010001"})
    (moved,) = session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", IV_MAX_ROWS=10)["ET_CUSTOMERS"]
    assert (linked["KUNNR"], moved["KUNNR"]) == ("0000099999", "0000010001")
    assert moved["PARNR"] == linked["PARNR"]
    assert moved["CHANGED_AT"] > linked["CHANGED_AT"]
    assert ecc.counts()["customers"] == before
    owner = {
        contact["parnr"]: customer["kunnr"]
        for customer in ecc.get("customers")["items"]
        for contact in customer["contacts"]
    }
    assert owner[moved["PARNR"]] == "0000010001"
