"""Saving orders, comments and the life of an order, replayed as they were recorded, one after the other."""

import asyncio
import re
from typing import Any

import pytest

from .replay import RECORDINGS, Answer, Client, body, differences, recording, same, searched_orders

FIRST_SEEN = {
    1: "registered", 2: "guest", 4: "virtual", 5: "po", 7: "coupon", 8: "billdiff", 9: "guest_known_email", 10: "us",
    11: "gb", 12: "fr",
}  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
UNCHANGED = {"02_ext_order_id_again_same", "07_empty_ext_order_id", "08b_very_long"}
"""Saves of a value that is there already: the clock has moved on, `updated_at` must not."""
LATER = "2026-11-23 03:33:33"


def names(folder: str, first: str, last: str) -> list[str]:
    found = sorted(path.stem for path in (RECORDINGS / folder).glob("*.json"))
    return [f"{folder}/{name}" for name in found if first <= name[:2] <= last]


def untouched(order_id: int) -> dict[str, Any]:
    """Return an order of the recorded searches as it was before anyone touched it."""
    if order_id in FIRST_SEEN:
        return body(f"orders/get_{FIRST_SEEN[order_id]}")
    order = next(order for order in searched_orders() if order["entity_id"] == order_id)
    plain = body("orders/get_guest")
    kept = {name: value for name, value in order.items() if name in plain}
    kept |= {"state": "new", "status": "pending", "status_histories": [], "customer_note_notify": 1}
    kept |= {"total_due": order["grand_total"], "base_total_due": order["base_grand_total"]}
    for item in kept["items"]:
        for name in [each for each in item if each.endswith(("_invoiced", "_refunded", "_shipped"))]:
            if name in plain["items"][0]:
                item[name] = 0
            else:
                del item[name]
        item.pop("weee_tax_applied", None)
        item["updated_at"] = item["created_at"]
    kept["payment"] = {name: value for name, value in order["payment"].items() if name in plain["payment"]}
    return kept


@pytest.fixture
def fresh(shop: Client) -> Client:
    """Return a client of a shop with the twelve recorded orders as they were placed."""
    for order_id in range(1, 13):
        shop.simulator.take_order(untouched(order_id))
    return shop


def timeless(value: Any) -> Any:
    """Return a value without its moments, and with the applied taxes in one order: the database gives them in any."""
    if isinstance(value, dict):
        settled = {name: timeless(inner) for name, inner in value.items()}
        if "item_applied_taxes" in settled:
            settled["item_applied_taxes"].sort(key=lambda tax: (tax["type"], tax.get("item_id", 0)))
        return settled
    if isinstance(value, list):
        return [timeless(inner) for inner in value]
    return "a moment" if isinstance(value, str) and MOMENT.fullmatch(value) else value


async def replay(client: Client, name: str) -> Answer:
    answer = recording(name)["response"].get("body")
    moment = answer.get("updated_at") if isinstance(answer, dict) else None
    if name.endswith("26_items_ext"):
        # The item alone moves; the order's own row does not show the moment.
        moment = answer["items"][0]["updated_at"]
    client.freeze(LATER if name.split("/")[1] in UNCHANGED else moment or LATER)
    return await client.replay(name)


async def test_saves_answer_as_recorded(fresh: Client) -> None:
    for name in names("order_update", "01", "31"):
        answer = await replay(fresh, name)
        same(answer, name)


async def test_the_whole_story_ends_as_recorded(fresh: Client) -> None:
    steps = names("order_update", "01", "31") + names("order_comments", "01", "24") + names("lifecycle", "01", "19")
    for name in steps:
        answer = await replay(fresh, name)
        recorded = recording(name)["response"]
        assert answer.status == recorded["status"], name
        assert differences(timeless(recorded["body"]), timeless(answer.body)) == [], name
    for order in searched_orders():
        given = await fresh.order(order["entity_id"])
        assert differences(timeless(order), timeless(given)) == [], order["entity_id"]
    for kind in ("invoices", "shipments", "creditmemos"):
        answer = await fresh.replay(f"lifecycle/{kind}")
        recorded = recording(f"lifecycle/{kind}")["response"]["body"]
        assert differences(timeless(recorded), timeless(answer.body)) == [], kind
    canceled = body("orders/get_canceled")
    assert differences(timeless(canceled), timeless(await fresh.order(12))) == []


async def test_shipping_first_invoicing_later(shop: Client) -> None:
    order = body("lifecycle/41_order_final")
    plain = body("orders/get_guest")
    order = {name: value for name, value in order.items() if name in plain}
    order |= {"state": "new", "status": "pending", "total_due": 74.5, "base_total_due": 74.5}
    for item in order["items"]:
        item |= {name: 0 for name in item if name.endswith(("_invoiced", "_shipped"))}
        for name in (
            "discount_tax_compensation_invoiced",
            "base_discount_tax_compensation_invoiced",
            "weee_tax_applied",
        ):
            del item[name]
    order["payment"] = {name: value for name, value in order["payment"].items() if name in plain["payment"]}
    shop.simulator.take_order(order)
    state = shop.simulator.shop.state
    for sequence, taken in (
        ("shipment", 2),
        ("invoice", 74),
        ("shipment_item", 2),
        ("invoice_comment", 1),
        ("track", 1),
    ):
        state.next(sequence, taken)
    for name in names("lifecycle", "30", "40"):
        answer = await replay(shop, name)
        recorded = recording(name)["response"]
        assert answer.status == recorded["status"], name
        assert differences(timeless(recorded.get("body")), timeless(answer.body)) == [], name
    final = body("lifecycle/41_order_final")
    assert differences(timeless(final), timeless(await shop.order(91))) == []


async def test_sending_a_whole_order_back_corrupts_it(shop: Client) -> None:
    order = recording("order_update/40_roundtrip_discounted_order")["request"]["body"]["entity"]
    shop.simulator.take_order(order)
    answer = await replay(shop, "order_update/40_roundtrip_discounted_order")
    recorded = recording("order_update/40_roundtrip_discounted_order")["response"]["body"]
    assert differences(timeless(recorded), timeless(answer.body)) == []
    after = await shop.order(16)
    assert after["items"][0]["row_total"] == pytest.approx(26.43 - 3.57)
    assert after["extension_attributes"]["payment_additional_info"][0]["key"] == "0"


@pytest.mark.parametrize("name", ["41_items_item_id_only", "42_payment_entity_id_only", "43_payment_entity_id_method"])
async def test_partial_items_and_payments(shop: Client, name: str) -> None:
    entity = recording(f"order_update/{name}")["request"]["body"]["entity"]
    order = body("lifecycle/41_order_final")
    order |= {"entity_id": entity["entity_id"], "created_at": "2026-11-23 03:05:19", "billing_address_id": 147}
    answer = recording(f"order_update/{name}")["response"]["body"]
    for place in (order["payment"], order["billing_address"]):
        place["parent_id"] = entity["entity_id"]
    order["payment"] |= {"entity_id": entity["entity_id"]}
    for index, item in enumerate(order["items"]):
        item |= {"item_id": entity["items"][0]["item_id"] + index, "order_id": entity["entity_id"]}
    for part in ("billing_address", "payment"):
        if part in answer and name.startswith("41"):
            order[part] = answer[part]
    order["billing_address_id"] = answer.get("billing_address_id", 147)
    if "billing_address" in answer:
        order["billing_address"] = answer["billing_address"]
    shop.simulator.take_order(order)
    given = await replay(shop, f"order_update/{name}")
    recorded = recording(f"order_update/{name}")["response"]
    assert given.status == recorded["status"]
    assert differences(timeless(recorded["body"]), timeless(given.body)) == []
    if name.startswith("43"):
        after = await shop.order(74)
        assert after["payment"]["additional_information"] == []
        assert after["payment"]["amount_ordered"] == order["payment"]["amount_ordered"]


async def test_an_item_of_another_order_moves(recorded: Client) -> None:
    await recorded.do("POST", "/rest/V1/orders", {"entity": {"entity_id": 9, "items": [{"item_id": 3}]}})
    assert [item["item_id"] for item in (await recorded.order(9))["items"]] == [3, 16]
    assert (await recorded.order(2))["items"] == []


@pytest.mark.parametrize("order_id", [2, 4, 9])
async def test_write_back_is_minimal_cut_and_idempotent(recorded: Client, order_id: int) -> None:
    before = await recorded.order(order_id)
    recorded.freeze("2026-12-01 10:00:00")
    number = "0" * 30 + "12345"
    echo = await recorded.do("POST", "/rest/V1/orders", {"entity": {"entity_id": order_id, "ext_order_id": number}})
    assert echo["ext_order_id"] == number
    assert (echo["customer_email"], echo["grand_total"], echo["total_due"]) == (None, None, 0)
    after = await recorded.order(order_id)
    assert after == before | {"ext_order_id": number[:32], "updated_at": "2026-12-01 10:00:00"}
    recorded.freeze("2026-12-01 11:00:00")
    await recorded.do("PUT", "/rest/V1/orders/create", {"entity": {"entity_id": order_id, "ext_order_id": number}})
    assert await recorded.order(order_id) == after


async def race(client: Client, other: Any, entity: dict[str, Any]) -> tuple[Any, Any]:
    """Save an order while `other` is under way, ending after it; return the order and its invoices."""
    await client.admin()
    await client.http.post(client.simulator.url + "/_simulator/faults", json={"latency": 0.3})
    has_read = asyncio.Event()
    connection = client.simulator.shop.state.connection
    connection.set_trace_callback(lambda sql: has_read.set() if "FROM sales_order_payment" in sql else None)
    slow = asyncio.create_task(client.do("POST", "/rest/V1/orders", {"entity": entity}))
    await has_read.wait()
    connection.set_trace_callback(None)
    await client.http.post(client.simulator.url + "/_simulator/faults", json={"latency": 0})
    await other
    await slow
    return await client.order(entity["entity_id"]), await client.get("/rest/V1/invoices?searchCriteria=")


async def test_an_invoice_is_lost_under_a_save(fresh: Client) -> None:
    invoice = fresh.do("POST", "/rest/V1/order/2/invoice", {"capture": True})
    order, invoices = await race(fresh, invoice, {"entity_id": 2, "ext_order_id": "0000012346"})
    assert invoices["total_count"] == 1
    assert order["ext_order_id"] == "0000012346"
    assert order["total_paid"] == 16.9, "the order's own row keeps what others wrote"
    assert order["items"][0]["qty_invoiced"] == 0, "the item row was written back as it was read"
    assert "amount_paid" not in order["payment"], "and so was the payment's"


async def test_sending_an_item_saves_the_items_but_not_the_payment(fresh: Client) -> None:
    invoice = fresh.do("POST", "/rest/V1/order/2/invoice", {"capture": True})
    order, _ = await race(fresh, invoice, {"entity_id": 2, "ext_order_id": "1", "items": [{"item_id": 3}]})
    assert order["items"][0]["qty_invoiced"] == 1
    assert "amount_paid" not in order["payment"]


async def test_without_a_race_nothing_is_lost(fresh: Client) -> None:
    await fresh.do("POST", "/rest/V1/order/2/invoice", {"capture": True})
    await fresh.do("POST", "/rest/V1/orders", {"entity": {"entity_id": 2, "ext_order_id": "0000012346"}})
    order = await fresh.order(2)
    assert order["items"][0]["qty_invoiced"] == 1
    assert order["payment"]["amount_paid"] == 16.9


async def test_life_of_an_order_that_no_one_recorded(fresh: Client) -> None:
    """Order 7 has a coupon and two items: invoiced in two parts it adds up, refunded in full it is closed."""
    items = [item["item_id"] for item in (await fresh.order(7))["items"]]
    await fresh.do("POST", "/rest/V1/order/7/invoice", {"items": [{"order_item_id": items[0], "qty": 2}]})
    part = await fresh.order(7)
    assert (part["state"], part["total_paid"] + part["total_due"]) == ("processing", 74.5)
    await fresh.do("POST", "/rest/V1/order/7/invoice", {})
    await fresh.do("POST", "/rest/V1/order/7/ship", {})
    whole = await fresh.order(7)
    assert (whole["state"], whole["total_paid"], whole["total_due"]) == ("complete", 74.5, 0)
    assert whole["tax_invoiced"] == whole["tax_amount"]
    await fresh.do("POST", "/rest/V1/order/7/refund", {})
    assert (await fresh.order(7))["state"] == "closed"
    assert await fresh.do("POST", "/rest/V1/orders/7/cancel") is False


async def test_hold_keeps_the_way_back(fresh: Client) -> None:
    assert await fresh.do("POST", "/rest/V1/orders/5/hold") is True
    assert (await fresh.order(5))["status"] == "holded"
    assert (await fresh.send("POST", "/rest/V1/order/5/invoice", {}, auth="admin")).status == 400
    assert await fresh.do("POST", "/rest/V1/orders/5/unhold") is True
    assert (await fresh.order(5))["status"] == "pending"


async def test_comments_leave_updated_at_alone(fresh: Client) -> None:
    before = await fresh.order(9)
    for _ in range(2):
        await fresh.do("POST", "/rest/V1/orders/9/comments", {"statusHistory": {"comment": "twice"}})
    after = await fresh.order(9)
    assert after["updated_at"] == before["updated_at"]
    assert [entry["comment"] for entry in after["status_histories"]] == ["twice", "twice"]
