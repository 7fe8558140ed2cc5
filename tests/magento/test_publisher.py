"""The order publisher against a shop whose rows move."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adapters.magento.ledger import SkippedOrder, skipped_orders
from adapters.magento.publisher import LEASE, WATERMARK, poll_orders, publication_of
from adapters.magento.shop import Shop
from adapters.magento.simulator.faults import Planned
from schemas.envelope import Poll, Publication
from schemas.failures import Outage, Transient
from schemas.messages import OrderPlaced
from state import watermark
from state.database import Database
from state.kept import Lease
from tests.magento.world import SECOND, World

MakeShop = Callable[..., Shop]


class Broker:
    """Takes publications, and refuses them when told to."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.failing = False

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish, confirmed."""
        if self.failing:
            raise Transient("The broker did not confirm.", "It is tried again.")
        self.published += publications

    @property
    def ids(self) -> list[int]:
        """Magento ids of the orders placed, in order."""
        bodies = [one.body for one in self.published]
        assert all(isinstance(one, OrderPlaced) for one in bodies)
        return [int(one.order.ref.order_id) for one in bodies if isinstance(one, OrderPlaced)]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def poll_of(shop: Shop, sqlite_database: Database, **options: bool) -> Poll:
    return poll_orders(shop, sqlite_database, lease=Lease(sqlite_database, LEASE, "a"), **options)


async def drain(poll: Poll, broker: Broker, most: int = 200) -> None:
    """Look until there is nothing more."""
    for _ in range(most):
        if await poll(broker.publish):
            return
    raise AssertionError("The poll never came to rest.")


def skips(sqlite_database: Database) -> dict[str, tuple[str, str]]:
    return {one.order_id: (one.reason, one.detail) for one in skipped_orders(sqlite_database)}


async def test_publishes_what_is_there_and_what_comes(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    world.add_order(2, "2026-11-23 03:00:05")
    poll = poll_of(make_shop(), sqlite_database)
    assert await poll(broker.publish) == 1
    assert broker.ids == [1, 2]
    await drain(poll, broker)
    world.add_order(3, "2026-11-23 03:00:05")
    await drain(poll, broker)
    assert broker.ids == [1, 2, 3]
    assert watermark.read(sqlite_database, WATERMARK) == ("2026-11-23 03:00:05", "3")
    placed = broker.published[0]
    assert placed.correlation_id == "default-000000001"
    assert placed.id == publication_of(placed.body.order).id  # type: ignore[union-attr]


@pytest.mark.parametrize("page_size", [1, 3, 10])
async def test_more_orders_in_one_second_than_a_page_holds(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker, page_size: int
) -> None:
    world.add_order(1, "2026-11-23 02:59:59")
    for number in range(2, 27):
        world.add_order(number)
    world.add_order(27, "2026-11-23 03:00:01")
    await drain(poll_of(make_shop(page_size=page_size), sqlite_database), broker)
    assert broker.ids == list(range(1, 28))


async def test_rows_that_move_while_one_reads_are_published_once(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    for number in range(1, 21):
        world.add_order(number, f"2026-11-23 03:00:{number:02}")
    poll = poll_of(make_shop(page_size=5), sqlite_database)
    await poll(broker.publish)
    # Read ones and unread ones move behind all others; page numbers would now leave five orders out.
    for number in (1, 2, 3, 4, 5, 8, 12):
        world.change_order(number, updated_at="2026-11-23 03:01:00")
    await drain(poll, broker)
    assert sorted(broker.ids) == list(range(1, 21))


async def test_the_write_back_publishes_nothing_again(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    shop = make_shop()
    poll = poll_of(shop, sqlite_database)
    await drain(poll, broker)
    await shop.write_order_number("1", "0000012345")
    assert world.order(1)["updated_at"] > SECOND
    await drain(poll, broker)
    assert broker.ids == [1]
    assert skips(sqlite_database) == {}


async def test_the_watermark_stays_when_the_broker_does_not_confirm(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    poll = poll_of(make_shop(), sqlite_database)
    broker.failing = True
    with pytest.raises(Transient):
        await poll(broker.publish)
    assert watermark.read(sqlite_database, WATERMARK) is None
    assert sqlite_database.execute("SELECT * FROM magento_published") == []
    broker.failing = False
    await drain(poll, broker)
    assert broker.ids == [1]


async def test_a_page_that_fails_later_is_read_again(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    for number in range(1, 7):
        world.add_order(number, f"2026-11-23 03:00:{10 * number - 10:02}")
    poll = poll_of(make_shop(page_size=2, overlap_seconds=0), sqlite_database)
    await poll(broker.publish)
    broker.failing = True
    with pytest.raises(Transient):
        await poll(broker.publish)
    broker.failing = False
    await drain(poll, broker)
    assert broker.ids == [1, 2, 3, 4, 5, 6]


async def test_a_death_between_confirm_and_memory_makes_the_same_message(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_order(1)

    def die(*_: Any) -> list[SkippedOrder]:
        raise RuntimeError("killed")

    with monkeypatch.context() as dying:
        dying.setattr("adapters.magento.ledger.settle", die)
        with pytest.raises(RuntimeError):
            await poll_of(make_shop(), sqlite_database)(broker.publish)
    world.change_order(1, updated_at="2026-11-23 03:00:01")
    await drain(poll_of(make_shop(), sqlite_database), broker)
    assert broker.ids == [1, 1]
    assert len({one.id for one in broker.published}) == 1


async def test_a_transaction_that_ends_late_is_found_in_the_overlap(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(5, "2026-11-23 03:01:00")
    shop = make_shop(overlap_seconds=90)
    poll = poll_of(shop, sqlite_database)
    await drain(poll, broker)
    world.add_order(4, "2026-11-23 03:00:58")  # the short overlap of every look
    await drain(poll, broker)
    world.add_order(3, "2026-11-23 02:59:40")  # the whole one
    await drain(poll_of(shop, sqlite_database), broker)
    world.add_order(2, "2026-11-23 02:59:20")  # beyond
    await drain(poll_of(shop, sqlite_database), broker)
    assert broker.ids == [5, 4, 3]
    assert watermark.read(sqlite_database, WATERMARK) == ("2026-11-23 03:01:00", "5")


async def test_an_order_dated_in_the_future_hides_none_that_comes_later(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1, "2099-01-01 00:00:00")
    poll = poll_of(make_shop(overlap_seconds=0), sqlite_database)
    await drain(poll, broker)
    world.add_order(2, world.state.clock.now())
    await drain(poll, broker)
    await drain(poll, broker)
    assert broker.ids == [1, 2]
    mark = watermark.read(sqlite_database, WATERMARK)
    assert mark is not None
    assert mark[0] < "2099"


async def test_clocks_apart_lose_nothing(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.fail_next(clock_offset=-60.0)
    world.add_order(1, world.state.clock.now())
    poll = poll_of(make_shop(), sqlite_database)
    await drain(poll, broker)
    world.fail_next(clock_offset=60.0)
    world.add_order(2, world.state.clock.now())
    await drain(poll, broker)
    assert broker.ids == [1, 2]


async def test_skips_are_listed_with_their_reason_until_the_gate_opens(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1, state="pending_payment", status="pending_payment")
    world.add_order(2, kind="po")
    world.add_order(3, ext_order_id="0000000007")
    world.add_order(4, store_id=77)
    world.add_order(5)
    shop = make_shop(payment_gates={"purchaseorder": "paid"})
    poll = poll_of(shop, sqlite_database)
    await drain(poll, broker)
    assert broker.ids == [5]
    assert skips(sqlite_database) == {
        "1": ("state", "state is pending_payment"),
        "2": ("payment", "payment method purchaseorder is taken when paid"),
        "3": ("numbered", "ext_order_id is 0000000007"),
        "4": ("store", "store id 77 is no store view of the shop"),
    }
    assert {one.store for one in skipped_orders(sqlite_database)} == {"default", "77"}
    world.change_order(2, total_due=0, updated_at="2026-11-23 03:00:30")
    await drain(poll, broker)
    assert broker.ids == [5, 2]
    assert "2" not in skips(sqlite_database)


async def test_a_skip_is_counted_once_per_change(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker, count: Callable[..., float]
) -> None:
    before = count("orderbus_magento_orders_skipped_total", reason="state")
    world.add_order(1, state="holded")
    poll = poll_of(make_shop(), sqlite_database)
    for _ in range(3):
        await drain(poll, broker)
    assert count("orderbus_magento_orders_skipped_total", reason="state") - before == 1
    world.change_order(1, updated_at="2026-11-23 03:00:09")
    await drain(poll, broker)
    assert count("orderbus_magento_orders_skipped_total", reason="state") - before == 2


async def test_a_poisoned_order_holds_up_no_other(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    world.add_order(2, order_currency_code="X")
    world.add_order(3, coupon_code="x" * 5000)
    world.add_order(4, grand_total="a lot")
    world.add_order(5, discount_description="y" * 100_000)  # longer than the limit below, alone
    world.add_order(6)
    await drain(poll_of(make_shop(max_body_bytes=60_000, page_size=4), sqlite_database), broker)
    assert broker.ids == [1, 6]
    assert {order: reason for order, (reason, _) in skips(sqlite_database).items()} == dict.fromkeys(
        "2345", "unreadable"
    )
    assert "max_body_bytes" in skips(sqlite_database)["5"][1]


async def test_orders_since_narrows_to_newer_ones(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1, created_at="2026-01-01 00:00:00")
    world.add_order(2)
    await drain(poll_of(make_shop(orders_since="2026-11-01 00:00:00"), sqlite_database), broker)
    assert broker.ids == [2]


async def test_one_of_two_polls_and_the_other_takes_over(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    leases = [Lease(sqlite_database, LEASE, holder) for holder in ("a", "b")]
    first, second = (poll_orders(make_shop(), sqlite_database, lease=lease) for lease in leases)
    await drain(first, broker)
    world.add_order(2)
    other = Broker()
    assert await second(other.publish) == 1
    assert other.ids == []
    await leases[0].give_back()
    await drain(second, other)
    assert other.ids == [2]
    assert await first(broker.publish) == 1
    assert broker.ids == [1]


async def test_the_customers_of_a_page_are_one_request(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    for number in range(1, 11):
        world.add_customer(number, f"buyer{number}@example.com", sap_customer_number=str(number))
        world.add_order(number, kind="registered", customer_id=number, ext_order_id=None)
    await drain(poll_of(make_shop(), sqlite_database), broker)
    assert len([path for path in world.requests if "customers/search" in path]) == 1
    numbers = [one.body.order.buyer.sap_customer_number for one in broker.published]  # type: ignore[union-attr]
    assert numbers == [f"{number:010}" for number in range(1, 11)]


async def test_a_guest_is_an_account_only_where_configured(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_customer(9, "Erika@Example.com", sap_customer_number="100009")
    world.add_order(1, customer_email="erika@example.com")
    await drain(poll_of(make_shop(), sqlite_database), broker)
    await drain(
        poll_of(make_shop(guest_matches_account_by_email=True), sqlite_database, reread_unfinished=True), broker
    )
    buyers = [one.body.order.buyer for one in broker.published]  # type: ignore[union-attr]
    assert [(one.key, one.sap_customer_number) for one in buyers] == [
        ("1:guest:erika@example.com", ""),
        ("1:9", "0000100009"),
    ]


async def test_rereads_what_magento_does_not_show_as_finished(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    for number in range(1, 8):
        world.add_order(number)
    shop = make_shop(page_size=2)
    await drain(poll_of(shop, sqlite_database), broker)
    world.change_order(2, ext_order_id="0000000002")
    world.change_order(3, state="canceled", status="canceled")
    world.change_order(4, state="holded", status="holded")
    again = Broker()
    poll = poll_of(shop, sqlite_database, reread_unfinished=True)
    await drain(poll, again)
    assert again.ids == [1, 5, 6, 7]
    assert {one.id for one in again.published} <= {one.id for one in broker.published}
    await drain(poll, again)
    assert again.ids == [1, 5, 6, 7]


async def test_an_interrupted_reread_goes_on(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    for number in range(1, 6):
        world.add_order(number)
    poll = poll_of(make_shop(page_size=2), sqlite_database, reread_unfinished=True)
    await poll(broker.publish)
    broker.failing = True
    with pytest.raises(Transient):
        await poll(broker.publish)
    broker.failing = False
    await drain(poll, broker)
    assert broker.ids == [1, 2, 3, 4, 5]


async def test_an_outage_is_reported_and_survived(
    world: World, make_shop: MakeShop, sqlite_database: Database, broker: Broker
) -> None:
    world.add_order(1)
    poll = poll_of(make_shop(), sqlite_database)
    world.fail_next(Planned("maintenance", times=2))
    with pytest.raises(Outage):
        await poll(broker.publish)
    with pytest.raises(Outage):
        await poll(broker.publish)
    await drain(poll, broker)
    assert broker.ids == [1]
