"""Held orders: recorded once, handed out once per lease, closed once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.ecc.clear_flags import clear_synced, clear_withdrawn
from adapters.ecc.holds import hold_orders
from adapters.ecc.orders import add_sales_orders
from adapters.ecc.releases import release_orders
from adapters.ecc.sessions import Sessions
from adapters.ecc.simulator.faults import ConnectionLost, LockHeld
from schemas.failures import Permanent, Transient
from schemas.messages import (
    HoldOrder,
    OrderCleared,
    OrderHeld,
    OrderReleased,
    OrderSynced,
    OrderWithdrawn,
    Registration,
    ReleaseOrders,
)
from schemas.order import OrderRef
from tests.ecc.conftest import Ecc
from tests.ecc.examples import PLACED, add, customer, handled, message, order

NUMBERS = Registration("0000100001", "0000000001")


def ref(number: int) -> OrderRef:
    return OrderRef(store="default", order_id=str(number), increment_id=f"{number:09}")


def held(number: int, key: str = "1:42") -> HoldOrder:
    return HoldOrder(ref=ref(number), customer=customer(key), placed_at=PLACED)


def hold(ecc: Ecc, sessions: Sessions, *numbers: int, key: str = "1:42") -> None:
    handle = hold_orders(sessions, ecc.configure())
    for number in numbers:
        handle(message(held(number, key)))


def released(
    ecc: Ecc, sessions: Sessions, id_: str, key: str = "1:42", before: datetime | None = None, **config: Any
) -> list[str]:
    handle = release_orders(sessions, ecc.configure(**config), before)
    bodies = handled(handle, message(ReleaseOrders(customer_key=key, registration=NUMBERS), id_))
    assert all(isinstance(body, OrderReleased) and body.registration == NUMBERS for body in bodies)
    return [body.ref.order_id for body in bodies]


class TestHolds:
    """The service ``ecc-holds``."""

    def test_a_held_order_is_recorded_and_says_so(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = hold_orders(sessions, ecc.configure())
        assert handle(message(held(1))) == [OrderHeld(ref=ref(1), customer=customer())]
        (row,) = ecc.pending()
        assert (row["order_key"], row["customer_key"], row["cleared"]) == ("default-000000001", "1:42", "")
        assert (row["magento_order_id"], row["magento_customer_id"]) == ("1", "42")
        assert row["placed_at"] == "2026-11-23T03:00:03Z"

    def test_again_it_asks_again_for_registration(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = hold_orders(sessions, ecc.configure())
        assert handle(message(held(1))) == handle(message(held(1)))
        assert len(ecc.pending()) == 1

    def test_a_guest_has_no_account(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1, key="1:guest:erika@example.com")
        assert ecc.pending()[0]["magento_customer_id"] == ""

    def test_a_cleared_row_is_not_reopened_and_asks_for_nothing(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1)
        clear_withdrawn(sessions, ecc.configure())(message(OrderWithdrawn(ref(1), "cancelled")))
        assert handled(hold_orders(sessions, ecc.configure()), message(held(1))) == []
        assert ecc.pending()[0]["cleared"] == "X"

    def test_what_does_not_fit_is_refused_without_personal_data(self, ecc: Ecc, sessions: Sessions) -> None:
        address = "geheim@" + "x" * 130
        command = HoldOrder(ref=ref(1), customer=customer(email=address), placed_at=PLACED)
        with pytest.raises(Permanent, match="EMAIL takes 128") as caught:
            hold_orders(sessions, ecc.configure())(message(command))
        assert "geheim" not in str(caught.value)

    def test_a_lost_connection_is_transient_and_the_retry_finds_the_row(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = hold_orders(sessions, ecc.configure())
        ecc.arm(ConnectionLost(function="Z_ORDERBUS_PENDING_ADD", when="after"))
        with pytest.raises(Transient):
            handle(message(held(1)))
        assert handle(message(held(1))) == [OrderHeld(ref=ref(1), customer=customer())]
        assert len(ecc.pending()) == 1


class TestReleases:
    """The service ``ecc-releases``."""

    def test_all_rows_of_the_customer_come_in_pages_and_no_others(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, *range(1, 8))
        hold(ecc, sessions, 8, key="1:43")
        assert sorted(released(ecc, sessions, "a", page_size=3)) == [str(number) for number in range(1, 8)]
        assert ecc.counts()["calls"]["Z_ORDERBUS_PENDING_GET"] == 3

    def test_a_row_is_handed_out_once_per_lease(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1, 2)
        assert len(released(ecc, sessions, "a")) == 2
        hold(ecc, sessions, 3)
        assert released(ecc, sessions, "b") == ["3"]
        assert released(ecc, sessions, "c") == []

    def test_the_same_message_gets_the_same_rows(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1, 2, 3)
        assert released(ecc, sessions, "a", page_size=2) == released(ecc, sessions, "a", page_size=2)

    def test_leases_begun_before_the_process_count_as_ended(self, ecc: Ecc, sessions: Sessions) -> None:
        """Those of the process before, also of the same second."""
        hold(ecc, sessions, 1)
        assert released(ecc, sessions, "a") == ["1"]
        now = datetime.now(UTC)
        assert released(ecc, sessions, "b", before=now - timedelta(hours=1)) == []
        assert released(ecc, sessions, "c", before=now) == ["1"]

    def test_cleared_rows_are_not_handed_out(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1, 2)
        clear_withdrawn(sessions, ecc.configure())(message(OrderWithdrawn(ref(1), "deleted")))
        assert released(ecc, sessions, "a") == ["2"]

    def test_a_customer_key_that_does_not_fit_is_refused(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent, match="takes 100"):
            released(ecc, sessions, "a", key="1:" + "4" * 100)


class TestClearFlags:
    """The service ``ecc-clear-flags``."""

    def test_a_written_order_gets_its_flag_and_number(self, ecc: Ecc, sessions: Sessions) -> None:
        placed = order()
        hold_orders(sessions, ecc.configure())(message(replace(held(1), ref=placed.ref)))
        (synced,) = handled(add_sales_orders(sessions, ecc.configure(), lambda _key, _number: None), add(placed))
        handle = clear_synced(sessions, ecc.configure())
        expected = [OrderCleared(ref=placed.ref, had_row=True, sales_order=synced.sales_order)]
        assert handle(message(synced)) == expected
        assert handle(message(synced)) == expected
        (row,) = ecc.pending()
        assert (row["cleared"], row["reason"], row["vbeln"]) == ("X", "SYNCED", synced.sales_order)

    def test_a_written_order_that_is_held_again_is_said_to_be_written(self, ecc: Ecc, sessions: Sessions) -> None:
        placed = order()
        again = message(replace(held(1), ref=placed.ref))
        hold_orders(sessions, ecc.configure())(again)
        (synced,) = handled(add_sales_orders(sessions, ecc.configure(), lambda _key, _number: None), add(placed))
        clear_synced(sessions, ecc.configure())(message(synced))
        assert handled(hold_orders(sessions, ecc.configure()), again) == [replace(synced, existed=True)]
        assert ecc.pending()[0]["cleared"] == "X"

    def test_an_order_that_was_never_held_has_no_row(self, ecc: Ecc, sessions: Sessions) -> None:
        (synced,) = handled(add_sales_orders(sessions, ecc.configure(), lambda _key, _number: None), add(order()))
        (cleared,) = handled(clear_synced(sessions, ecc.configure()), message(synced))
        assert cleared == OrderCleared(ref=order().ref, had_row=False, sales_order=synced.sales_order)

    @pytest.mark.parametrize("reason", ["cancelled", "deleted"])
    def test_a_withdrawn_order_is_closed_with_its_reason(self, ecc: Ecc, sessions: Sessions, reason: Any) -> None:
        hold(ecc, sessions, 1)
        (cleared,) = handled(clear_withdrawn(sessions, ecc.configure()), message(OrderWithdrawn(ref(1), reason)))
        assert cleared == OrderCleared(ref=ref(1), had_row=True, reason=reason)
        assert ecc.pending()[0]["reason"] == reason.upper()

    def test_a_sales_order_that_does_not_exist_is_refused(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1)
        with pytest.raises(Permanent, match="INVALID_ARGUMENT"):
            clear_synced(sessions, ecc.configure())(message(OrderSynced(ref(1), "0000009999", "1")))
        assert ecc.pending()[0]["cleared"] == ""

    def test_a_locked_row_is_tried_again(self, ecc: Ecc, sessions: Sessions) -> None:
        hold(ecc, sessions, 1)
        ecc.arm(LockHeld(object="EZORDERBUS_PEND", key="default-000000001", for_seconds=60))
        with pytest.raises(Transient, match="lock"):
            clear_withdrawn(sessions, ecc.configure())(message(OrderWithdrawn(ref(1), "deleted")))
