"""One customer, or one order, that cannot go on holds up no other, even where each service has a single session."""

from collections.abc import Iterator

import pytest

from schemas.identifiers import customer_key
from tests.flow.buying import buy, buy_one, guest, registered
from tests.flow.conftest import Run, Running
from tests.flow.wire import of_order
from tests.stack import post

HELD = 20
"""Seconds for which somebody holds a lock: several times what the others take."""
WEBSITE = "1"


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({"ecc": "sessions = 1"}) as running:
        yield running


def hold(system: Running, lock: str, key: str) -> None:
    """Let somebody in ECC hold a lock."""
    fault = {"kind": "lock_held", "object": lock, "key": key, "for_seconds": HELD}
    post(f"{system.stack.ecc_url}/_simulator/faults", [fault])


def acknowledged(system: Running, order_ids: list[int]) -> list[int]:
    """Wait until these orders are acknowledged, and return their ids in the order in which they were."""
    numbers = {system.shop.number(order_id): order_id for order_id in order_ids}
    for number in numbers:
        system.wire.wait("order.acknowledged", of_order(number), seconds=120)
    seen = [one.body["ref"]["increment_id"] for one in system.wire.seen("order.acknowledged")]
    return [numbers[number] for number in seen if number in numbers]


def test_a_customer_who_is_locked_in_ecc_holds_up_no_other(system: Running) -> None:
    locked = guest(30)
    hold(system, "EZORDERBUS_CUST", customer_key(WEBSITE, None, locked.person.email))

    first = buy_one(system.stack.shop_url, locked)
    others = buy(system.stack.shop_url, [*map(guest, range(31, 36)), *map(registered, range(4))])

    ended = acknowledged(system, [first, *others])
    assert ended[-1] == first
    assert sorted(ended) == sorted([first, *others])
    assert len(system.sales_orders(system.shop.number(first))) == 1


def test_an_order_that_is_locked_in_ecc_holds_up_no_other(system: Running) -> None:
    placed = buy(system.stack.shop_url, [registered(5)])
    last = system.shop.number(acknowledged(system, placed)[0])
    locked = f"{int(last) + 1:09}"
    hold(system, "EZORDERBUS_ORD", f"default-{locked}")

    first = buy_one(system.stack.shop_url, registered(6))
    assert system.shop.number(first) == locked
    others = buy(system.stack.shop_url, list(map(registered, range(7, 15))))

    ended = acknowledged(system, [first, *others])
    assert ended[-1] == first
    assert len(system.sales_orders(locked)) == 1
