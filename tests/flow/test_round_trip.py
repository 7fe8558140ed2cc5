"""200 orders, a third of them guests of 20 customers, through separate processes on a real RabbitMQ."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.flow.buying import Buyer, buy, guest, prospect, registered
from tests.processes import wait_until
from tests.stack import Stack, net_of, running_stack

ORDERS = 200
NEW_CUSTOMERS = 20


def the_buyers() -> list[Buyer]:
    """Return who places each order: two of three are registered; twelve accounts and eight true guests are not.

    Two true guests order at the same moment, and one uses the address of a registered account.
    """
    known_address = Buyer(registered(0).person)
    strangers: Sequence[Buyer] = (*map(prospect, range(12)), *map(guest, range(7)), known_address)
    buyers = []
    for number in range(ORDERS):
        third, place = divmod(number, 3)
        if place == 2:
            buyers.append(strangers[third % NEW_CUSTOMERS])
        else:
            buyers.append(registered((number * 7) % 20))
    return buyers


@pytest.mark.parametrize("registration", ["automatic", "manual"])
def test_every_order_becomes_one_sales_order_and_both_sides_know_it(
    registration: str, tmp_path: Path, broker_url: str, postgres_url: str
) -> None:
    settings = {"ecc": f'registration = "{registration}"\nsessions = 4'}
    with running_stack(Stack(tmp_path, broker_url, postgres_url, settings=settings)) as stack:
        customers_before = stack.ecc_counts()["customers"]
        buy(stack.shop_url, the_buyers())
        if registration == "manual":
            held = [row for row in the_buyers() if row.number in (None, "0000099999")]
            wait_until(lambda: len(stack.pending_orders()) == len(held), "every stranger's order waits", seconds=120)
            assert not [row for row in stack.pending_orders() if row["cleared"]]
            assert stack.register_everybody() == NEW_CUSTOMERS
        stack.wait_finished(ORDERS)

        orders = {f"default-{order['increment_id']}": order for order in stack.orders()}
        documents = stack.sales_orders()
        assert Counter(document["purch_no_c"] for document in documents) == dict.fromkeys(orders, 1)
        for document in documents:
            order = orders[document["purch_no_c"]]
            assert order["ext_order_id"] == document["vbeln"]
            assert Decimal(document["net_value"]) == net_of(order)
        rows = stack.pending_orders()
        assert {row["cleared"] for row in rows} == {"X"}
        assert {row["reason"] for row in rows} == {"SYNCED"}
        assert stack.ecc_counts()["customers"] - customers_before == NEW_CUSTOMERS
        assert len({row["customer_key"] for row in rows}) == NEW_CUSTOMERS
        numbers = {one["email"]: one["attributes"].get("sap_customer_number") for one in stack.shop_customers()}
        new = [f"jane{number}@company{number}.example" for number in range(12)]
        assert all(numbers[email] not in ("", None, "0000099999") for email in new)
        assert numbers["reg0@shop.example"] == "0000010001"
        assert stack.run("dead", "list", "--json").strip() in ("[]", "")
        contacts = stack.run("contacts", "list", "--json")
        assert contacts.count('"customer_key"') == NEW_CUSTOMERS
