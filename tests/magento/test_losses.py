"""What a racing write took back, found by comparing order and invoices."""

from decimal import Decimal
from typing import Any

import msgspec

from adapters.magento.losses import Snapshot, losses
from adapters.magento.rest_types import InvoiceJson, OrderJson
from tests.magento.recordings import as_order, body, recorded_orders


def order(paid: Any = None, **quantities: Any) -> OrderJson:
    item = {"item_id": 12, **quantities}
    document = {"entity_id": 6, "updated_at": "2026-11-23 03:00:00", "created_at": "2026-11-23 03:00:00"}
    return as_order({**document, "items": [item], "payment": {"method": "checkmo", "amount_paid": paid}})


def invoice(quantity: Any, total: Any, state: int = 2) -> InvoiceJson:
    lines = [{"order_item_id": 12, "qty": quantity}]
    return msgspec.convert({"state": state, "grand_total": total, "items": lines}, InvoiceJson)


def test_nothing_lost() -> None:
    before = Snapshot(order(), ())
    assert losses(before, before) == []
    assert losses(before, Snapshot(order(paid=10, qty_invoiced=2), [invoice(2, 10)])) == []


def test_an_invoice_that_came_during_the_write_and_left_no_trace() -> None:
    found = losses(Snapshot(order(), ()), Snapshot(order(), [invoice(2, Decimal("29.59"))]))
    assert found == [
        "item 12: qty_invoiced is 0, should be 2",
        "payment: amount_paid is 0, should be 29.59",
    ]


def test_only_the_payment_is_lost() -> None:
    found = losses(Snapshot(order(), ()), Snapshot(order(qty_invoiced=2), [invoice(2, 10)]))
    assert found == ["payment: amount_paid is 0, should be 10"]


def test_what_stood_before_must_still_stand() -> None:
    before = Snapshot(order(paid=10, qty_invoiced=2, qty_shipped=1), [invoice(2, 10)])
    assert losses(before, Snapshot(order(paid=10, qty_invoiced=2), [invoice(2, 10)])) == [
        "item 12: qty_shipped is 0, should be 1"
    ]


def test_a_loss_of_earlier_times_is_not_reported_again() -> None:
    earlier = Snapshot(order(), [invoice(2, 10)])
    assert losses(earlier, earlier) == []
    later = Snapshot(order(), [invoice(2, 10), invoice(1, 5)])
    assert losses(earlier, later) == [
        "item 12: qty_invoiced is 0, should be 1",
        "payment: amount_paid is 0, should be 5",
    ]


def test_cancelled_and_open_invoices() -> None:
    before = Snapshot(order(), ())
    assert losses(before, Snapshot(order(), [invoice(2, 10, state=3)])) == []
    assert losses(before, Snapshot(order(qty_invoiced=2), [invoice(2, 10, state=1)])) == []


def test_the_recorded_order_and_its_invoices_agree() -> None:
    recorded = as_order(recorded_orders()["search/2000000001"])
    invoices = msgspec.convert(body("lifecycle/invoices")["items"], list[InvoiceJson])
    unwritten = as_order({**recorded_orders()["search/2000000001"], "items": [], "payment": {"method": "checkmo"}})
    assert losses(Snapshot(unwritten, ()), Snapshot(recorded, invoices)) == []
