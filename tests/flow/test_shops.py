"""What shops differ in: payment methods, websites and currencies, coupons, purchase order numbers."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.magento.simulator.shopper import Line
from tests.flow.buying import Buyer, Wish, buy_one, registered
from tests.flow.conftest import Run, Running
from tests.flow.wire import of_order
from tests.processes import wait_until
from tests.stack import net_of

MAGENTO = """
payment_gates = { banktransfer = "paid", purchaseorder = "always", free = "never" }
"""


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"magento": MAGENTO}) as running:
        yield running


def skipped(system: Running) -> dict[str, str]:
    """Return the reason of each order that is passed over."""
    listed = json.loads(system.stack.run("skipped", "list", "--json"))
    return {order["increment_id"]: order["reason"] for order in listed}


def written(system: Running, order_id: int, store: str = "default") -> dict[str, Any]:
    """Wait until both sides know an order, and return its sales order."""
    number = system.shop.number(order_id)
    system.wire.wait("order.acknowledged", of_order(number))
    (document,) = system.sales_orders(number, store)
    order = system.shop.order(order_id)
    assert order["ext_order_id"] == document["vbeln"]
    assert Decimal(str(document["net_value"])) == net_of(order)
    return document


def test_an_order_by_bank_transfer_is_taken_once_it_is_paid(system: Running) -> None:
    order_id = buy_one(system.stack.shop_url, registered(1), Wish(payment={"method": "banktransfer"}))
    number = system.shop.number(order_id)
    wait_until(lambda: skipped(system).get(number) == "payment", "the order is listed as skipped")
    assert system.wire.seen("order.placed", of_order(number)) == []
    system.shop.invoice(order_id)
    written(system, order_id)
    assert number not in skipped(system)


def test_an_order_of_a_second_website_in_another_currency(system: Running) -> None:
    buyer = Buyer(replace(registered(2).person, country="US", city="Oakland", postcode="94607"), "0000010003", "b2b_en")
    lines = (Line("MUG-01", Decimal(3)), Line("TEE-01", Decimal(1)))
    document = written(system, buy_one(system.stack.shop_url, buyer, Wish(lines)), "b2b_en")
    assert (document["currency"], document["kunnr"]) == ("USD", "0000010003")


def test_a_guest_of_a_second_website_is_another_customer_than_on_the_first(system: Running) -> None:
    person = replace(registered(3).person, email="twice@mail.example")
    first = written(system, buy_one(system.stack.shop_url, Buyer(person)))
    second = written(system, buy_one(system.stack.shop_url, Buyer(person, None, "b2b_en")), "b2b_en")
    assert first["kunnr"] != second["kunnr"]
    assert [first["currency"], second["currency"]] == ["EUR", "USD"]


def test_a_coupon_is_a_discount_in_ecc(system: Running) -> None:
    lines = (Line("MUG-01", Decimal(3)), Line("TEE-01", Decimal(2)))
    document = written(system, buy_one(system.stack.shop_url, registered(4), Wish(lines, coupon="TEN")))
    discounts = [one for one in document["conditions"] if one["COND_TYPE"] == "RB00"]
    assert len(discounts) == 2
    assert all(Decimal(str(one["COND_VALUE"])) < 0 for one in discounts)


def test_the_buyers_own_purchase_order_number_stands_beside_the_key(system: Running) -> None:
    payment = {"method": "purchaseorder", "po_number": "4500012345"}
    document = written(system, buy_one(system.stack.shop_url, registered(5), Wish(payment=payment)))
    assert document["purch_no_s"] == "4500012345"
    assert document["purch_no_c"].startswith("default-")
