"""Each invariant fails where it should: a state in which all is well, changed in one way at a time."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from orderbus.services import TABLE
from tests.faults.invariants import INVARIANTS, Expected, violations
from tests.faults.recovery import Return, Rush
from tests.faults.run import missed
from tests.faults.state import Final, Letter, LostUpdate, Registered, Row, SalesOrder, ShopOrder

ACCOUNT, GUEST = "1:7", "1:guest:bo@mail.example"
KNOWN = ShopOrder(1, "000000001", "processing", ACCOUNT, Decimal("10.00"), "0000000501")
HELD = ShopOrder(2, "000000002", "new", GUEST, Decimal("20.00"), "0000000502")
CANCELLED = ShopOrder(3, "000000003", "canceled", GUEST, Decimal("30.00"), "")
UNFIT = ShopOrder(4, "000000004", "new", ACCOUNT, Decimal("40.00"), "")
SALES_ORDERS = (
    SalesOrder("0000000501", KNOWN.key, "0000010001", Decimal("10.00")),
    SalesOrder("0000000502", HELD.key, "0000100000", Decimal("20.00")),
)
ROWS = (Row(HELD.key, GUEST, "X", "SYNCED"), Row(CANCELLED.key, GUEST, "X", "CANCELLED"))
CUSTOMER = Registered("0000100000", (GUEST,), ("0000000009",))
LETTERS = (
    Letter("a", "ecc-orders", "permanent", "It does not fit.", "Shorten it.", UNFIT.key),
    Letter("b", "router", "undecodable", "It is no JSON.", "Correct the publisher.", ""),
)
RETURNS = (Return("broker", 40.0, 2.0), Return("ECC", 3.0, 3.0), Return("publisher", 9.0, 9.0))
RUSHES = (Rush("logons at ECC", 21, 21), Rush("calls that ECC turned away", 0, 0))
WELL = Final(
    orders=(KNOWN, HELD, CANCELLED, UNFIT),
    account_numbers={ACCOUNT: "0000010001"},
    sales_orders=SALES_ORDERS,
    rows=ROWS,
    customers=(CUSTOMER,),
    contacts={GUEST: ("0000000009",)},
    letters=LETTERS,
    queues={row.queue: 0 for row in TABLE} | {"orderbus.router.dead": 1},
    lost_updates=(LostUpdate(1, Decimal(2), Decimal(1)),),
    reported=frozenset({1}),
    exits={"router: 75": 1},
    returns=RETURNS,
    rushes=RUSHES,
)
EXPECTED = Expected(unfit=frozenset({4}), letters={"b": ("router", "undecodable")})
ANOTHER = Registered("0000100001", (GUEST,), ("0000000010",))
CHANGES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "an order without its sales order": ("lost", {"sales_orders": SALES_ORDERS[:1]}),
    "an order twice": (
        "duplicated",
        {"sales_orders": (*SALES_ORDERS, replace(SALES_ORDERS[0], number="0000000501", net=Decimal("10.00")))},
    ),
    "a sales order of nobody": (
        "duplicated",
        {"sales_orders": (*SALES_ORDERS, SalesOrder("9", "default-9", "0000010001", Decimal(1)))},
    ),
    "an order in ECC that cannot be there": (
        "unfit",
        {
            "sales_orders": (*SALES_ORDERS, SalesOrder("", UNFIT.key, "0000010001", UNFIT.net)),
        },
    ),
    "another net value": ("value", {"sales_orders": (replace(SALES_ORDERS[0], net=Decimal("9.99")), SALES_ORDERS[1])}),
    "another customer": ("customer", {"sales_orders": (replace(SALES_ORDERS[0], customer="1"), SALES_ORDERS[1])}),
    "a number not written back": (
        "unacknowledged",
        {"orders": (replace(KNOWN, written_back=""), HELD, CANCELLED, UNFIT)},
    ),
    "a number that is no sales order's": (
        "unacknowledged",
        {"orders": (KNOWN, HELD, replace(CANCELLED, written_back="1"), UNFIT)},
    ),
    "a row that waits": ("flag", {"rows": (replace(ROWS[0], cleared=""), ROWS[1])}),
    "a row closed for the wrong reason": ("flag", {"rows": (replace(ROWS[0], reason="CANCELLED"), ROWS[1])}),
    "a row of no order": ("flag", {"rows": (*ROWS, Row("default-9", GUEST, "X", "SYNCED"))}),
    "a customer twice": ("customers", {"customers": (CUSTOMER, ANOTHER)}),
    "a customer that nobody is": (
        "customers",
        {"customers": (CUSTOMER, replace(ANOTHER, keys=()))},
    ),
    "two contact persons": (
        "customers",
        {"customers": (replace(CUSTOMER, contacts=("0000000009", "0000000010")),)},
    ),
    "a contact that is not stored": ("contact missing", {"contacts": {}}),
    "a contact that is stored twice": ("contacts", {"contacts": {GUEST: ("0000000009", "0000000009")}}),
    "another contact than ECC's": ("contacts", {"contacts": {GUEST: ("0000000008",)}}),
    "a contact of nobody": ("contacts", {"contacts": {GUEST: ("0000000009",), "1:9": ("0000000001",)}}),
    "an account without its number": (
        "accounts",
        {
            "orders": (KNOWN, replace(HELD, customer_key="1:8"), replace(CANCELLED, customer_key="1:8"), UNFIT),
            "customers": (replace(CUSTOMER, keys=("1:8",)),),
            "contacts": {"1:8": ("0000000009",)},
            "account_numbers": {ACCOUNT: "0000010001", "1:8": "0000099999"},
        },
    ),
    "a dead letter that is missing": ("dead letters", {"letters": LETTERS[:1]}),
    "a dead letter for another reason": (
        "dead letters",
        {"letters": (LETTERS[0], replace(LETTERS[1], reason="bug"))},
    ),
    "a dead letter that nobody expects": (
        "dead letters",
        {"letters": (*LETTERS, Letter("c", "router", "bug", "It failed.", "Report it.", KNOWN.key))},
    ),
    "a dead letter without a reason": ("dead letters", {"letters": (replace(LETTERS[0], remedy=""), LETTERS[1])}),
    "an unfit order that nobody is told of": ("lost", {"letters": LETTERS[1:]}),
    "a message left": ("stuck", {"queues": {**WELL.queues, "orderbus.retry.1s": 1}}),
    "a queue that nobody can look into": ("stuck", {"queues": {**WELL.queues, "orderbus.router": -1}}),
    "a queue that is gone": ("stuck", {"queues": {"orderbus.router.dead": 1}}),
    "a lost update that nobody is told of": ("lost update", {"reported": frozenset()}),
    "a service that ended": ("exits", {"exits": {"router: 1": 1}}),
    "services that are not ready long after the broker": ("recovery", {"returns": (Return("broker", 31.0, 31.0),)}),
    "no sales order long after ECC's return": ("recovery", {"returns": (*RETURNS, Return("ECC", 31.0, 31.0))}),
    "a publisher that never came back": ("recovery", {"returns": (Return("publisher", 99.0, 21.0, over=False),)}),
    "more sessions at ECC than there may be": ("rush", {"rushes": (Rush("logons at ECC", 22, 21),)}),
    "calls that found no dialog process": ("rush", {"rushes": (Rush("calls that ECC turned away", 1, 0),)}),
    "a crowd at the broker": ("rush", {"rushes": (*RUSHES, Rush("connections to the broker", 25, 24))}),
}


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert violations(WELL, EXPECTED) == []


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_noticed(change: str) -> None:
    kind, fields = CHANGES[change]
    assert kind in {violation.kind for violation in violations(replace(WELL, **fields), EXPECTED)}


def test_a_contact_may_be_missing_only_where_its_queue_was_deleted() -> None:
    found = violations(replace(WELL, contacts={}), EXPECTED)
    assert missed(found, contacts=True) == found != []
    assert missed(found, contacts=False) == []


def test_every_invariant_is_shown_to_fail() -> None:
    states: Sequence[Final] = [replace(WELL, **fields) for _, fields in CHANGES.values()]
    for invariant in INVARIANTS:
        assert any(list(invariant(state, EXPECTED)) for state in states), invariant.__name__
