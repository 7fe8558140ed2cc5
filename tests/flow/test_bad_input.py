"""Bad input on its way through a running system ends as a dead letter that says what to do, and nothing is lost.

What a wrong configuration or a wrong password of the broker or the database ends in is tested in ``tests/orderbus``.
"""

import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from tests.flow.buying import Buyer, buy_one, registered
from tests.flow.conftest import Run, Running
from tests.flow.wire import Seen, of_order
from tests.processes import wait_until

ALONE = (
    "magento-orders",
    "ecc-orders",
    "magento-customers+magento-order-numbers+router+contacts",
    "ecc-holds+ecc-customers+ecc-registrations+ecc-releases+ecc-clear-flags",
)


@pytest.fixture(scope="module")
def system(run: Run) -> Iterator[Running]:
    with run({}, ALONE) as running:
        yield running


@pytest.fixture(scope="module")
def good(system: Running) -> Seen:
    """Return an OrderPlaced as the bus published it."""
    number = system.shop.number(buy_one(system.stack.shop_url, registered(0)))
    (placed,) = system.wire.wait("order.placed", of_order(number))
    system.wire.wait("order.acknowledged", of_order(number))
    return placed


def dead_letters(system: Running, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(system.stack.run("dead", "list", "--json", "--service", service))
    return found


def the_dead_letter(system: Running, service: str, increment_id: str) -> dict[str, Any]:
    """Wait for the dead letter of an order, and return it."""

    def found() -> list[dict[str, Any]]:
        return [one for one in dead_letters(system, service) if one["subject"] == f"default/{increment_id}"]

    wait_until(found, f"a dead letter of {increment_id}", every=0.3)
    (letter,) = found()
    return letter


def place(system: Running, good: Seen, increment_id: str, **changes: Any) -> None:
    """Place an order that no checkout would let through: an existing one, changed."""
    order: dict[str, Any] = {**good.body["order"], **changes}
    order["ref"] = {**order["ref"], "increment_id": increment_id}
    follow = {
        "cloudEvents_correlationid": f"default-{increment_id}",
        "cloudEvents_subject": f"default/{increment_id}",
    }
    changed = replace(good, headers={**good.headers, **follow})
    system.wire.publish(changed, {"order": order}, identifier=f"bad-{increment_id}")


def check(letter: Mapping[str, Any], *said: str) -> None:
    """Check that a dead letter says in a line each what is wrong and what helps, after a single attempt."""
    assert (letter["reason"], letter["attempts"]) == ("permanent", 1)
    for text in (letter["message"], letter["remedy"]):
        assert text.endswith(".")
        assert "\n" not in text
    for part in said:
        assert part in letter["message"]


def test_a_customer_number_that_is_too_long(system: Running) -> None:
    buyer = Buyer(registered(1).person, "123456789012")
    number = system.shop.number(buy_one(system.stack.shop_url, buyer))
    check(the_dead_letter(system, "ecc-orders", number), f"default-{number}", "'123456789012'", "PARTN_NUMB", "10")
    assert system.sales_orders(number) == []


def test_an_order_without_lines(system: Running, good: Seen) -> None:
    place(system, good, "900000001", items=[])
    check(the_dead_letter(system, "ecc-orders", "900000001"), "default-900000001", "it has no lines")
    assert system.sales_orders("900000001") == []


def test_a_currency_that_ecc_does_not_know(system: Running, good: Seen) -> None:
    place(system, good, "900000002", currency="XTS")
    check(the_dead_letter(system, "ecc-orders", "900000002"), "default-900000002", "XTS")
    assert system.sales_orders("900000002") == []


def test_lines_that_do_not_add_up(system: Running, good: Seen) -> None:
    totals = good.body["order"]["totals"]
    place(system, good, "900000003", totals={**totals, "net": "99.99"})
    check(the_dead_letter(system, "ecc-orders", "900000003"), "99.99", "net")


def test_fields_that_nobody_knows_are_ignored(system: Running, good: Seen) -> None:
    place(system, good, "900000005", loyalty_points=7, ref={**good.body["order"]["ref"], "channel": "app"})
    (synced,) = system.wire.wait("order.synced", of_order("900000005"))
    (document,) = system.sales_orders("900000005")
    assert document["vbeln"] == synced.body["sales_order"]


def test_bad_orders_hold_up_no_good_one_and_stay_until_somebody_sends_them_again(system: Running, good: Seen) -> None:
    place(system, good, "900000004", currency="XTS")
    letter = the_dead_letter(system, "ecc-orders", "900000004")
    order_id = buy_one(system.stack.shop_url, registered(2))
    system.wire.wait("order.acknowledged", of_order(system.shop.number(order_id)))

    shown = json.loads(system.stack.run("dead", "show", letter["id"], "--json"))
    (contents,) = shown
    assert json.loads(contents["body"])["order"]["ref"]["increment_id"] == "900000004"
    headers = contents["headers"]
    assert headers["orderbus-fault-reason"] == "permanent"
    assert headers["orderbus-fault-exception-type"].endswith("Permanent")
    assert headers["orderbus-fault-service"] == "ecc-orders"
    assert headers["orderbus-fault-attempts"] == 1
    assert headers["orderbus-origin-exchange"] == "orderbus.commands"
    assert headers["orderbus-origin-routing-key"] == "ecc.order.add"
    assert headers["cloudEvents_id"] == letter["id"]
    assert {"orderbus-fault-message", "orderbus-fault-remedy", "orderbus-fault-host"} <= set(headers)
    assert headers["orderbus-fault-first-failed-at"] == headers["orderbus-fault-last-failed-at"]

    assert letter["id"] in system.stack.run("dead", "retry", letter["id"])

    def failed_again() -> bool:
        again = [one for one in dead_letters(system, "ecc-orders") if one["id"] == letter["id"]]
        return bool(again) and again[0]["retried"] == 1

    wait_until(failed_again, "it fails again, with its id and history", every=0.3)
    assert len(system.wire.seen("ecc.order.add", of_order("900000004"))) == 1, "not through the exchange"


def log_of(system: Running, process: str) -> list[dict[str, Any]]:
    text = system.stack.processes[process].tail(20_000)
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("process", "right", "wrong", "said"),
    [
        ("ecc-orders", 'passwd = "simulator"', 'passwd = "WRONG-SECRET"', "ECC refused the logon"),
        ("magento-orders", "orderbusaccesstoken0000000000001", "WRONG-SECRET-TOKEN-0000000000001", "401"),
    ],
    ids=["ecc", "magento"],
)
def test_a_wrong_password_loses_nothing(system: Running, process: str, right: str, wrong: str, said: str) -> None:
    system.stack.signal(process, signal.SIGTERM)
    assert system.stack.processes[process].wait() == 0
    whole = system.stack.config.read_text()
    system.stack.config.write_text(whole.replace(right, wrong))
    system.stack.processes[process].log.write_text("")
    try:
        system.stack.start(process)
        number = system.shop.number(buy_one(system.stack.shop_url, registered(3 if "ecc" in process else 4)))
        wait_until(lambda: any(said in line["message"] for line in log_of(system, process)), "the log says so")
        assert system.stack.processes[process].running
        lines = [line for line in log_of(system, process) if line["level"] != "INFO"]
        assert "SECRET" not in str(lines)
        assert all("." in line["message"] for line in lines)
        checked = system.stack.run("check", expect=1)
        assert said in checked
        assert "SECRET" not in checked
    finally:
        system.stack.config.write_text(whole)
        system.stack.signal(process, signal.SIGTERM)
        status = system.stack.processes[process].wait()
        system.stack.start_services([process])
    assert status == 0
    system.wire.wait("order.acknowledged", of_order(number))
    assert len(system.sales_orders(number)) == 1
