"""Every kind of difference, made for real in both systems, is found and told."""

import json
import re
import sqlite3
from decimal import Decimal

from orderbus.reconciliation.compare import FINE
from tests.flow.buying import buy, guest, registered
from tests.processes import wait_until
from tests.reconcile.conftest import World
from tests.stack import get


def test_every_sales_order_is_compared_with_its_order(world: World) -> None:
    missing, unnumbered, fine, other, wrong, double, withdrawn, held_back, vanished, padded = buy(
        world.stack.shop_url, [registered(number) for number in range(10)]
    )
    first = world.sell_by_hand(unnumbered)
    world.write_number(fine, world.sell_by_hand(fine))
    second = world.sell_by_hand(other)
    world.write_number(other, "0000777777")
    world.write_number(wrong, world.sell_by_hand(wrong, Decimal("1.23")))
    world.write_number(double, world.sell_by_hand(double))
    world.sell_by_hand(double)
    world.cancel(withdrawn)
    world.rest(f"orders/{held_back}/hold")
    world.write_number(vanished, "0000888888")
    world.write_number(padded, world.sell_by_hand(padded).lstrip("0"))

    told = world.reconcile(expect=1)

    assert told.kinds() == {
        missing: ["missing-in-ecc"],
        unnumbered: ["missing-number-in-magento"],
        other: ["different-number-in-magento"],
        wrong: ["totals-differ"],
        double: ["duplicate-in-ecc"],
        vanished: ["missing-in-ecc"],
    }
    assert told.counts == {
        "matched": 2,
        "not-due": 2,
        "missing-in-ecc": 2,
        "missing-number-in-magento": 1,
        "different-number-in-magento": 1,
        "totals-differ": 1,
        "duplicate-in-ecc": 1,
    }
    assert told.answer["remaining"] == 6
    assert told.answer["repaired"] == 0
    repairable = {int(one["order_id"]) for one in told.findings if one["repairable"]}
    assert repairable == {missing, unnumbered}
    assert {one["published"] for one in told.findings} == {None}
    assert told.of(unnumbered)["detail"] == f"sales order {first}"
    assert told.of(other)["detail"] == f"sales order {second}, the shop shows 0000777777"
    assert "net value of 1.23 EUR, the shop's order" in told.of(wrong)["detail"]
    assert "0000888888" in told.of(vanished)["detail"]

    lines = world.run(expect=1)
    assert re.search(rf"(?m)^missing-in-ecc +{world.key(missing)} \(id {missing}\)$", lines)
    assert re.search(r"(?m)^ +2 +matched  ", lines)
    assert lines.endswith("6 findings. `orderbus reconcile --repair` heals what can be healed.\n")

    # Nothing of this is older than an hour, and so may be on its way, except for what no message changes.
    world.stack.config.write_text(world.stack.config.read_text().replace("grace = 0", "grace = 3600"))
    patient = world.reconcile(expect=1)
    assert sorted(patient.counts) == sorted(
        ["matched", "not-due", "in-flight", "different-number-in-magento", "totals-differ", "duplicate-in-ecc"]
    )
    assert patient.counts["in-flight"] == 3


def test_every_row_that_waits_is_looked_at(world: World) -> None:
    ids = buy(world.stack.shop_url, [guest(number) for number in range(9)])
    patient, unnoticed, expired, leased, cancelled, flagless, default, moved, elsewhere = ids
    for order_id in ids[:-1]:
        world.hold(order_id, f"1:guest:{order_id}@mail.example")
    world.hold(999_999, "1:guest:gone@mail.example", INCREMENT_ID="000999999")
    # Another shop of the same ECC, whose orders have another prefix.
    world.hold(888_888, "1:guest:other@mail.example", INCREMENT_ID="000888888", ORDER_KEY="B2B-default-000888888")
    numbers = {"default": "0000099999", "moved": "0000010001"}
    world.register(f"1:guest:{default}@mail.example", kunnr=numbers["default"])
    for order_id in (unnoticed, expired, leased, moved):
        world.register(f"1:guest:{order_id}@mail.example")
    registered_at = now(world)
    wait_until(lambda: now(world) > registered_at, "ECC's clock has gone on")
    assert world.lease(f"1:guest:{leased}@mail.example", 600) == 1
    assert world.lease(f"1:guest:{moved}@mail.example", 600) == 1
    assert world.lease(f"1:guest:{expired}@mail.example", 1) == 1
    world.cancel(cancelled)
    world.write_number(flagless, world.sell_by_hand(flagless))
    rows = world.rfc.call("Z_ORDERBUS_PENDING_GET", IV_MAX_ROWS=1000, IV_PEEK="X")["ET_ROWS"]
    world.register(f"1:guest:{moved}@mail.example", kunnr=numbers["moved"])
    ends = next(row["LEASED_UNTIL"] for row in rows if row["MAGENTO_ORDER_ID"] == str(expired))
    wait_until(lambda: now(world) >= ends, "the short lease has ended")

    told = world.reconcile(expect=1)

    assert told.kinds() == {
        unnoticed: ["pending-though-registered"],
        expired: ["release-lease-expired"],
        cancelled: ["cancelled-while-waiting"],
        999_999: ["cancelled-while-waiting"],
        flagless: ["flag-not-set"],
        default: ["pending-though-registered"],
        moved: ["pending-though-registered"],
        elsewhere: ["missing-in-ecc"],
    }
    assert {kind: count for kind, count in told.counts.items() if kind in FINE} == {"waiting": 1, "in-flight": 1}
    assert {int(one["order_id"]) for one in told.findings if not one["repairable"]} == {default}
    assert told.of(cancelled)["detail"] == "cancelled"
    assert told.of(999_999)["detail"] == "deleted"
    assert numbers["default"] in told.of(default)["detail"]
    assert numbers["moved"] in told.of(moved)["detail"]
    assert "mail.example" not in json.dumps(told.answer)

    # Rows are looked at whatever the window; their orders' sales orders with them.
    long_ago = world.reconcile("--since", "2020-01-01", "--until", "2020-02-01", expect=1)
    expected = {order_id: kinds for order_id, kinds in told.kinds().items() if order_id != elsewhere}
    assert long_ago.kinds() == expected

    # Where the bus registers customers itself, nobody but it has to be waited for.
    world.stack.config.write_text(world.stack.config.read_text().replace('"manual"', '"automatic"'))
    automatic = world.reconcile(expect=1)
    assert automatic.of(patient)["kind"] == "registration-missing"
    assert automatic.of(patient)["repairable"]


def now(world: World) -> str:
    """Return ECC's clock."""
    return str(world.rfc.call("Z_ORDERBUS_ORDERS_FIND")["EV_NOW"])


def test_nothing_found_ends_well_and_says_so(world: World) -> None:
    (order_id,) = buy(world.stack.shop_url, [registered(0)])
    world.write_number(order_id, world.sell_by_hand(order_id))
    assert world.reconcile(expect=0).counts == {"matched": 1}
    assert world.run(expect=0).endswith("Nothing to do.\n")
    assert world.reconcile("--until", "2020-01-01", "--since", "2019-01-01", expect=0).counts == {}


def test_what_cannot_be_read_is_told_and_holds_up_nothing(world: World) -> None:
    broken, fine, spoiled = buy(world.stack.shop_url, [registered(0), registered(1), guest(0)])
    world.write_number(fine, world.sell_by_hand(fine))
    world.hold(spoiled, "1:guest:spoiled@mail.example")
    with sqlite3.connect(world.stack.directory / "ecc.db") as database:
        database.execute("UPDATE zorderbus_pend SET added_at = 'yesterday'")
    with sqlite3.connect(world.stack.directory / "magento.db") as database:
        database.execute(
            "UPDATE sales_order SET doc = json_set(doc, '$.grand_total', 'a lot') WHERE entity_id = ?", (broken,)
        )
    told = world.reconcile(expect=1)
    assert told.kinds() == {broken: ["unreadable"], spoiled: ["unreadable"]}
    assert told.counts["matched"] == 1
    assert "grand_total" in told.of(broken)["detail"]
    assert "ADDED_AT" in told.of(spoiled)["detail"]


def test_what_cannot_be_done_is_said_in_a_line(world: World) -> None:
    for arguments, said in (
        (["--repair"], "the broker inside the process"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "--since is not before --until"),
        (["--since", "lately"], "does not match the formats"),
    ):
        output = world.run(*arguments, expect=2)
        assert said in output
        assert len(output.splitlines()) == 1


def test_an_ecc_that_is_away_is_no_finding(world: World) -> None:
    buy(world.stack.shop_url, [registered(0)])
    world.stack.kill("ecc")
    output = world.run(expect=75)
    assert "orderbus: ECC cannot be reached" in output
    assert get(f"{world.stack.shop_url}/_simulator/orders?limit=1")["total"] == 1
