"""The rules by themselves: what has had time enough, and what heals what."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from adapters.ecc.standing import PendingRow, Registered, SalesOrder, Standing
from adapters.magento.history import ShopOrder
from orderbus.reconciliation.compare import FINE, KINDS, PlaceAgain, Terms, compare
from schemas.messages import CustomerRegistered, OrderReleased, OrderSynced, OrderWithdrawn, Registration
from schemas.order import OrderRef

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO, JUST_NOW = NOW - timedelta(minutes=15), NOW - timedelta(minutes=15) + timedelta(seconds=1)
REF = OrderRef("default", "7", "000000007")
TERMS = Terms(timedelta(minutes=15), "automatic", lambda _store, number: number != "0000099999")
SHOP = ShopOrder(REF, LONG_AGO, 900.0, net=Decimal("10.5000"), currency="EUR")
SOLD = SalesOrder("0000000001", "0000010001", Decimal("10.50"), "EUR", LONG_AGO)
ROW = PendingRow(REF, cleared=False, reason="", added_at=LONG_AGO, leased_at=None, leased_until=None)
CLOSED = replace(ROW, cleared=True, reason="SYNCED")
FACT = CustomerRegistered(
    "1:7", "1", "default", Registration("0000010001"), "a@b.example", "a@b.example", Decimal(1), "EUR", LONG_AGO
)
KNOWN = Registered(FACT, LONG_AGO)
SYNCED = OrderSynced(REF, "0000000001", "0000010001", existed=True)


def kinds(shop: ShopOrder | None, ecc: Standing, terms: Terms = TERMS) -> list[tuple[str, object]]:
    return [(finding.kind, finding.repair) for finding in compare(shop, ecc, REF, terms)]


@pytest.mark.parametrize(
    ("shop", "ecc", "expected"),
    [
        (SHOP, Standing(NOW), [("missing-in-ecc", PlaceAgain(REF))]),
        (replace(SHOP, unchanged_for=899.9), Standing(NOW), [("in-flight", None)]),
        (replace(SHOP, closed_gate="unpaid"), Standing(NOW), [("not-due", None)]),
        (replace(SHOP, finished=True), Standing(NOW), [("not-due", None)]),
        (SHOP, Standing(NOW, row=CLOSED), [("missing-in-ecc", None)]),
        (SHOP, Standing(NOW, (SOLD,)), [("missing-number-in-magento", SYNCED)]),
        (SHOP, Standing(NOW, (replace(SOLD, created_at=None),)), [("missing-number-in-magento", SYNCED)]),
        (SHOP, Standing(NOW, (replace(SOLD, created_at=JUST_NOW),)), [("in-flight", None)]),
        (replace(SHOP, number="0000000001"), Standing(NOW, (SOLD,), CLOSED), [("matched", None)]),
        (replace(SHOP, number="0000000001"), Standing(NOW, (SOLD,), ROW), [("flag-not-set", SYNCED)]),
        (replace(SHOP, number="5"), Standing(NOW, (SOLD,)), [("different-number-in-magento", None)]),
        (
            replace(SHOP, number="5"),
            Standing(NOW, (SOLD,), ROW),
            [("different-number-in-magento", None), ("flag-not-set", None)],
        ),
        (
            SHOP,
            Standing(NOW, (SOLD,), ROW),
            [("missing-number-in-magento", SYNCED), ("flag-not-set", SYNCED)],
        ),
        (
            replace(SHOP, number="1", currency="USD"),
            Standing(NOW, (SOLD,)),
            [("totals-differ", None)],
        ),
        (
            replace(SHOP, number="0000000002"),
            Standing(NOW, (SOLD, replace(SOLD, number="0000000002"))),
            [("duplicate-in-ecc", None)],
        ),
        (None, Standing(NOW, row=ROW), [("cancelled-while-waiting", OrderWithdrawn(REF, "deleted"))]),
        (
            replace(SHOP, finished=True),
            Standing(NOW, row=ROW),
            [("cancelled-while-waiting", OrderWithdrawn(REF, "cancelled"))],
        ),
        (SHOP, Standing(NOW, row=ROW), [("registration-missing", PlaceAgain(REF))]),
        (SHOP, Standing(NOW, row=replace(ROW, added_at=JUST_NOW)), [("in-flight", None)]),
        (SHOP, Standing(NOW, row=ROW, registration=KNOWN), [("pending-though-registered", FACT)]),
        (SHOP, Standing(NOW, row=ROW, registration=replace(KNOWN, changed_at=JUST_NOW)), [("in-flight", None)]),
        (SHOP, Standing(NOW, row=replace(ROW, added_at=JUST_NOW), registration=KNOWN), [("in-flight", None)]),
        (SHOP, Standing(NOW, problem="no key"), [("unreadable", None)]),
        (replace(SHOP, problem="no total"), Standing(NOW), [("unreadable", None)]),
        (replace(SHOP, ref=replace(REF, increment_id="9")), Standing(NOW, row=ROW), [("unreadable", None)]),
    ],
)
def test_each_difference_has_its_kind_and_what_heals_it(
    shop: ShopOrder | None, ecc: Standing, expected: list[tuple[str, object]]
) -> None:
    assert kinds(shop, ecc) == expected


def leased(until: datetime, at: datetime = LONG_AGO + timedelta(seconds=1)) -> PendingRow:
    return replace(ROW, leased_at=at, leased_until=until)


def test_a_row_that_was_handed_out_is_left_alone_until_its_lease_ends() -> None:
    on_its_way = Standing(NOW, row=leased(NOW + timedelta(seconds=1)), registration=KNOWN)
    assert kinds(SHOP, on_its_way) == [("in-flight", None)]
    assert kinds(replace(SHOP, finished=True), on_its_way) == [("in-flight", None)]
    assert kinds(SHOP, Standing(NOW, row=leased(NOW), registration=KNOWN)) == [("release-lease-expired", FACT)]


def test_a_row_that_was_handed_out_with_other_numbers_is_released_again_at_once() -> None:
    before = leased(NOW + timedelta(hours=1), LONG_AGO)
    released = OrderReleased(REF, "1:7", Registration("0000010001"))
    assert kinds(SHOP, Standing(NOW, row=before, registration=KNOWN)) == [("pending-though-registered", released)]
    fresh = replace(KNOWN, changed_at=JUST_NOW)
    assert kinds(SHOP, Standing(NOW, row=before, registration=fresh)) == [("in-flight", None)]


def test_a_customer_under_the_default_number_is_not_registered() -> None:
    default = replace(KNOWN, fact=replace(FACT, registration=Registration("0000099999")))
    assert kinds(SHOP, Standing(NOW, row=ROW, registration=default)) == [("pending-though-registered", None)]


def test_where_people_register_customers_orders_wait_for_them() -> None:
    assert kinds(SHOP, Standing(NOW, row=ROW), replace(TERMS, registration="manual")) == [("waiting", None)]


def test_every_kind_is_explained() -> None:
    assert set(FINE) < set(KINDS)
