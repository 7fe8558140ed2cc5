"""What becomes of orders while they wait in ECC, where people register their customers (``manual``)."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.flow.buying import Buyer, buy, buy_one, guest, prospect
from tests.flow.conftest import Run, Running
from tests.flow.wire import of_customer, of_order
from tests.processes import wait_until
from tests.stack import DEFAULT_CUSTOMER, post


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"ecc": 'registration = "manual"', "magento": 'states = ["new", "processing"]'}) as running:
        yield running


def held(system: Running, buyer: Buyer, *, known: bool = False) -> tuple[int, str]:
    """Let somebody buy, and wait until their order waits in ECC; return its id and number."""
    order_id = buy_one(system.stack.shop_url, buyer, known=known)
    number = system.shop.number(order_id)
    system.wire.wait("order.held", of_order(number))
    return order_id, number


def key_of(system: Running, number: str) -> str:
    return str(system.row(number)["customer_key"])


def register(system: Running, number: str) -> str:
    """Do what people in ECC do with the customer of a held order; return its SAP customer number."""
    url = f"{system.stack.ecc_url}/_simulator/customers"
    (registered,) = post(url, {"customer_key": key_of(system, number)})["items"]
    return str(registered["kunnr"])


def cleared(system: Running, number: str) -> dict[str, object]:
    wait_until(lambda: system.row(number)["cleared"], f"the row of {number} is closed")
    return system.row(number)


def test_an_order_cancelled_while_it_waits_is_withdrawn(system: Running) -> None:
    order_id, number = held(system, prospect(1))
    system.shop.cancel(order_id)
    register(system, number)
    row = cleared(system, number)
    assert (row["cleared"], row["reason"], row["vbeln"]) == ("X", "CANCELLED", "")
    (withdrawn,) = system.wire.wait("order.withdrawn", of_order(number))
    assert withdrawn.body["reason"] == "cancelled"
    assert system.sales_orders(number) == []


def test_an_order_deleted_while_it_waits_is_withdrawn(system: Running) -> None:
    order_id, number = held(system, guest(2))
    system.shop.delete_order(order_id)
    register(system, number)
    row = cleared(system, number)
    assert (row["cleared"], row["reason"], row["vbeln"]) == ("X", "DELETED", "")
    (withdrawn,) = system.wire.wait("order.withdrawn", of_order(number))
    assert withdrawn.body["reason"] == "deleted"


def test_an_order_held_after_its_customer_was_registered_does_not_wait(system: Running) -> None:
    _, first = held(system, guest(3))
    number = register(system, first)
    cleared(system, first)
    # A guest's second order says nothing of the customer that ECC has by now, and nobody registers anybody again.
    _, second = held(system, guest(3))
    assert cleared(system, second)["reason"] == "SYNCED"
    (document,) = system.sales_orders(second)
    assert document["kunnr"] == number


def test_an_account_deleted_while_its_order_waits_holds_nothing_up(system: Running) -> None:
    buyer = prospect(4)
    _, number = held(system, buyer)
    key = key_of(system, number)
    system.shop.delete_account(buyer.person.email)
    customer = register(system, number)
    assert cleared(system, number)["reason"] == "SYNCED"
    (updated,) = system.wire.wait("customer.updated", of_customer(key))
    assert updated.body["reason"] == "the account no longer exists"
    (document,) = system.sales_orders(number)
    assert document["kunnr"] == customer


def test_a_true_guest_gets_no_account_unless_configured(system: Running) -> None:
    buyer = guest(5)
    _, number = held(system, buyer)
    register(system, number)
    assert cleared(system, number)["reason"] == "SYNCED"
    (updated,) = system.wire.wait("customer.updated", of_customer(key_of(system, number)))
    assert "account_id" not in updated.body
    assert updated.body["reason"] == "the customer ordered as a guest and has no account"
    assert buyer.person.email not in {account["email"] for account in system.stack.shop_customers()}


def test_an_order_put_on_hold_while_it_waits_passes_the_gates_when_it_is_released(system: Running) -> None:
    order_id, number = held(system, prospect(6))
    system.shop.put_on_hold(order_id)
    assert system.shop.order(order_id)["state"] == "holded"
    register(system, number)
    assert cleared(system, number)["reason"] == "SYNCED"
    assert len(system.sales_orders(number)) == 1


def test_many_orders_of_one_customer_cost_as_many_messages(system: Running) -> None:
    orders = 12
    buyer = prospect(7)
    ids = set(buy(system.stack.shop_url, [buyer] * orders))
    numbers = {order["increment_id"] for order in system.stack.orders() if order["entity_id"] in ids}

    def waiting() -> set[object]:
        return {row["increment_id"] for row in system.stack.pending_orders()} & numbers

    wait_until(lambda: len(waiting()) == orders, "every order waits in ECC")
    key = key_of(system, min(numbers))
    system.wire.wait("order.held", of_customer(key), count=orders)
    customer = register(system, min(numbers))
    for number in numbers:
        assert cleared(system, number)["reason"] == "SYNCED"
        system.wire.wait("order.acknowledged", of_order(number))

    counted = Counter(
        one.key
        for one in system.wire.seen()
        if of_customer(key)(one.body) or any(of_order(number)(one.body) for number in numbers)
    )
    once_each = ("ecc.order.hold", "order.held", "ecc.customer.register", "order.released", "magento.order.fetch")
    assert {name: counted[name] for name in once_each} == dict.fromkeys(once_each, orders)
    assert counted["order.placed"] == 2 * orders, "once when it was bought, and once when it was released"
    assert {document["kunnr"] for number in numbers for document in system.sales_orders(number)} == {customer}
    assert all(len(system.sales_orders(number)) == 1 for number in numbers)
    for number in numbers:
        for one in system.wire.seen("", of_order(number)):
            followed = (one.headers["cloudEvents_subject"], one.headers["cloudEvents_correlationid"])
            assert followed == (f"default/{number}", f"default-{number}"), one.key
    # Registered once by people: one look sees it, and every further message about it would be one too many.
    assert counted["customer.registered"] == counted["customer.updated"] == counted["ecc.orders.release"] == 1


def test_a_late_duplicate_of_a_cleared_order_reopens_nothing(system: Running) -> None:
    _, number = held(system, guest(8))
    register(system, number)
    row = cleared(system, number)
    first, again = system.wire.wait("order.placed", of_order(number), count=2)
    assert ("release" in first.body, "release" in again.body) == (False, True)
    commands = len(system.wire.seen("ecc.order.hold", of_order(number)))

    system.wire.publish(first, identifier=f"late-{number}")
    system.wire.publish(again, identifier=f"later-{number}")

    system.wire.wait("ecc.order.hold", of_order(number), count=commands + 1)
    synced = system.wire.wait("order.synced", of_order(number), count=2)
    assert synced[-1].body["existed"] is True
    system.wire.wait("order.acknowledged", of_order(number), count=2)
    wait_until(lambda: system.wire.waiting("orderbus.ecc-holds") == 0, "the duplicate is taken")
    assert system.row(number) == row
    assert len(system.sales_orders(number)) == 1
    assert len(system.wire.seen("order.held", of_order(number))) == 1, "a cleared order is not held again"


@pytest.mark.parametrize("number", ["", DEFAULT_CUSTOMER])
def test_an_order_released_without_a_number_of_its_own_goes_to_the_dead_letters(system: Running, number: str) -> None:
    buyer = guest(9) if number else guest(10)
    _, increment_id = held(system, buyer)
    customer = system.row(increment_id)["customer_key"]
    (registered, *_) = system.wire.wait("customer.updated")
    body = {"customer_key": customer, "registration": {"sap_customer_number": number}}
    before = len(system.wire.seen("order.placed", of_order(increment_id)))

    system.wire.publish(registered, body, identifier=f"wrong-{increment_id}")

    wait_until(lambda: increment_id in system.stack.run("dead", "list", "--service", "router"), "a dead letter")
    assert len(system.wire.seen("order.placed", of_order(increment_id))) == before + 1, "placed once, and no loop"
    assert len(system.wire.seen("ecc.order.hold", of_order(increment_id))) == 1
    assert system.sales_orders(increment_id) == []
    assert system.row(increment_id)["cleared"] == ""
    (letter,) = (
        line for line in system.stack.run("dead", "list", "--service", "router").splitlines() if increment_id in line
    )
    assert "empty or the store's default" in letter
