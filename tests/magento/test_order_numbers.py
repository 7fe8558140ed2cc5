"""The SAP order number in Magento's order: minimal, verified, serial, quiet, and honest about what was lost."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from adapters.magento import order_numbers
from adapters.magento.client import Answer
from adapters.magento.order_numbers import write_order_numbers
from adapters.magento.shop import Shop
from adapters.magento.signing import Pairs
from adapters.magento.simulator.clock import written
from adapters.magento.simulator.faults import Planned
from schemas.envelope import Envelope, Message
from schemas.failures import Busy, Permanent, Transient
from schemas.messages import OrderAcknowledged, OrderSynced
from schemas.order import OrderRef
from state import lease
from state.database import Database
from state.kept import Lease
from tests.magento.conftest import ListingClient
from tests.magento.world import World
from tests.processes import wait_until

MakeShop = Callable[..., Shop]
NUMBER = "0000012345"


def synced(order_id: str = "1", number: str = NUMBER) -> Message[OrderSynced]:
    envelope = Envelope("m1", "/test", "orderbus.order.synced.v1", datetime.now(UTC))
    return Message(envelope, OrderSynced(OrderRef("default", order_id, "000000001"), number, "0000100007"))


async def run(shop: Shop, sqlite_database: Database, message: Message[OrderSynced]) -> OrderAcknowledged:
    (acknowledged,) = await write_order_numbers(shop, sqlite_database)(message)  # type: ignore[misc]
    assert isinstance(acknowledged, OrderAcknowledged)
    return acknowledged


def writes(world: World) -> list[str]:
    return [one for one in world.requests if not one.startswith("GET")]


async def test_writes_the_number_and_nothing_else(world: World, make_shop: MakeShop, sqlite_database: Database) -> None:
    world.add_order(1, kind="registered", ext_order_id=None)
    before = world.order(1)
    acknowledged = await run(make_shop(), sqlite_database, synced())
    assert (acknowledged.sales_order, acknowledged.lost_update) == (NUMBER, "")
    after = world.order(1)
    assert after.pop("ext_order_id") == NUMBER
    assert before.pop("updated_at") < after.pop("updated_at")
    assert after == before
    assert writes(world) == ["POST orders"]


async def test_a_number_that_stands_there_is_not_written_again(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1, ext_order_id=NUMBER)
    assert (await run(make_shop(quiet_period=60), sqlite_database, synced())).sales_order == NUMBER
    assert writes(world) == []


async def test_another_number_is_permanent_and_named(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1, ext_order_id="0000000009")
    with pytest.raises(Permanent, match=f"0000000009.*{NUMBER}"):
        await run(make_shop(), sqlite_database, synced())
    assert world.order(1)["ext_order_id"] == "0000000009"


async def test_an_order_that_is_gone_is_permanent(make_shop: MakeShop, sqlite_database: Database) -> None:
    with pytest.raises(Permanent, match="no order 1"):
        await run(make_shop(), sqlite_database, synced())


@pytest.mark.parametrize("number", ["", "9" * 33])
async def test_a_number_that_would_be_cut_is_permanent(
    world: World, make_shop: MakeShop, sqlite_database: Database, number: str
) -> None:
    world.add_order(1)
    with pytest.raises(Permanent, match="does not fit"):
        await run(make_shop(), sqlite_database, synced(number=number))
    assert world.requests == []


async def test_waits_in_place_for_a_short_quiet_period(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1, world.state.clock.now())
    begun = world.state.clock.epoch()
    await run(make_shop(quiet_period=2), sqlite_database, synced())
    # Both times are cut to whole seconds.
    assert world.state.clock.epoch() - begun > 0.9
    assert world.order(1)["ext_order_id"] == NUMBER


async def test_a_long_quiet_period_goes_back_to_the_queue(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1, world.state.clock.now())
    with pytest.raises(Transient) as failed:
        await run(make_shop(quiet_period=60), sqlite_database, synced())
    assert failed.value.retry_after is not None
    assert 55 < failed.value.retry_after <= 60
    assert writes(world) == []
    assert lease.holder_of(sqlite_database, "magento-order:1") is None


async def test_the_quiet_period_goes_by_the_shops_clock(
    world: World, make_shop: MakeShop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop's clock is an hour behind: by ours, the order would be an hour old."""
    hour_ago = datetime.now(UTC).timestamp() - 3600
    world.add_order(1, written(hour_ago))
    shop = make_shop(quiet_period=60)
    behind = datetime.fromtimestamp(int(hour_ago), UTC)
    send = shop.client.send

    async def dated(*args: Any, **options: Any) -> Answer:
        answer = await send(*args, **options)
        return Answer(answer.body, behind, answer.where)

    monkeypatch.setattr(shop.client, "send", dated)
    with pytest.raises(Transient, match="changed a moment ago"):
        await run(shop, sqlite_database, synced())


async def test_one_order_is_written_by_one_process_at_a_time(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1)
    assert lease.hold(sqlite_database, "magento-order:1", "another", 30)
    with pytest.raises(Busy, match="another process"):
        await run(make_shop(), sqlite_database, synced())
    assert writes(world) == []
    lease.free(sqlite_database, "magento-order:1", "another")
    await run(make_shop(), sqlite_database, synced())
    assert lease.holder_of(sqlite_database, "magento-order:1") is None


async def test_a_write_that_takes_long_keeps_the_order(
    world: World, make_shop: MakeShop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_order(1)
    monkeypatch.setattr(order_numbers, "Lease", partial(Lease, seconds=0.6))
    shop, other = make_shop(), make_shop()
    write = shop.write_order_number
    finish = asyncio.Event()

    async def slow(order_id: str, number: str) -> None:
        await finish.wait()
        await write(order_id, number)

    monkeypatch.setattr(shop, "write_order_number", slow)
    writing = asyncio.create_task(run(shop, sqlite_database, synced()))
    held = lambda: lease.holder_of(sqlite_database, "magento-order:1") is not None  # noqa: E731
    await asyncio.to_thread(wait_until, held, "it has the order")
    end = time.monotonic() + 2
    while time.monotonic() < end:
        with pytest.raises(Busy):
            await run(other, sqlite_database, synced())
        await asyncio.sleep(0.05)
    finish.set()
    await writing
    assert writes(world) == ["POST orders"]
    assert lease.holder_of(sqlite_database, "magento-order:1") is None


async def test_a_process_that_was_frozen_before_its_write_does_not_write_beside_another(
    world: World, make_shop: MakeShop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_order(1)
    monkeypatch.setattr(order_numbers, "Lease", partial(Lease, seconds=0.6))
    shop = make_shop()
    order = shop.order

    async def frozen(order_id: str) -> Any:
        found = await order(order_id)
        # Nothing of this process goes on meanwhile.
        wait_until(lambda: lease.hold(sqlite_database, "magento-order:1", "another", 60), "another takes over")
        return found

    monkeypatch.setattr(shop, "order", frozen)
    with pytest.raises(Busy):
        await run(shop, sqlite_database, synced())
    assert writes(world) == []
    assert lease.holder_of(sqlite_database, "magento-order:1") == "another"


async def test_a_quick_write_asks_for_its_lease_once(
    world: World, make_shop: MakeShop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_order(1)
    hold, asked = lease.hold, 0

    def counted(*arguments: Any) -> bool:
        nonlocal asked
        asked += 1
        return hold(*arguments)

    monkeypatch.setattr(lease, "hold", counted)
    monkeypatch.setattr(order_numbers, "Lease", partial(Lease, seconds=600))
    await run(make_shop(), sqlite_database, synced())
    assert asked == 1


async def test_the_same_message_twice_at_once_writes_once(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1)
    shop = make_shop()
    results = await asyncio.gather(*(run(shop, sqlite_database, synced()) for _ in range(5)), return_exceptions=True)
    assert any(isinstance(one, OrderAcknowledged) for one in results)
    assert all(isinstance(one, OrderAcknowledged | Transient) for one in results)
    assert writes(world) == ["POST orders"]


class InvoicingClient(ListingClient):
    """Lets the shop invoice the order between the reading and the writing of a save."""

    world: World

    async def send(
        self, method: str, path: str, parameters: Pairs = (), body: Any = None, *, repeatable: bool = False
    ) -> Answer:
        """Send, and invoice during a save of the order."""
        if (method, path) != ("POST", "orders"):
            return await super().send(method, path, parameters, body, repeatable=repeatable)
        saving = asyncio.Event()

        def serve_slowly() -> float:
            saving.set()
            return 1.0

        injector = self.world.simulator.injector
        injector.latency = serve_slowly  # type: ignore[method-assign]
        save = asyncio.create_task(super().send(method, path, parameters, body, repeatable=repeatable))
        await saving.wait()
        injector.latency = lambda: 0.0  # type: ignore[method-assign]
        await super().send("POST", "order/1/invoice", body={"capture": True})
        assert not save.done()
        return await save


async def test_a_lost_update_is_reported_with_both_values(
    world: World, sqlite_database: Database, count: Callable[..., float]
) -> None:
    world.add_order(1)
    before = count("orderbus_magento_lost_updates_total")
    client = InvoicingClient(world.config())
    client.requests, client.world = world.requests, world
    shop = Shop(world.config(), client)
    acknowledged = await run(shop, sqlite_database, synced())
    await shop.close()
    assert acknowledged.lost_update == (
        "item 10: qty_invoiced is 0, should be 1; payment: amount_paid is 0, should be 16.9"
    )
    assert world.order(1)["items"][0]["qty_invoiced"] == 0
    assert count("orderbus_magento_lost_updates_total") - before == 1


async def test_a_lost_update_is_reported_by_the_retry_of_a_process_that_died_before_it_could(
    world: World, sqlite_database: Database
) -> None:
    world.add_order(1)
    client = InvoicingClient(world.config())
    client.requests, client.world = world.requests, world
    shop = Shop(world.config(), client)
    told = await run(shop, sqlite_database, synced())
    again = await run(shop, sqlite_database, synced())
    await shop.close()
    assert writes(world) == ["POST orders", "POST order/1/invoice"]
    assert again.lost_update == told.lost_update != ""


async def test_an_invoice_of_earlier_is_no_loss(world: World, make_shop: MakeShop, sqlite_database: Database) -> None:
    world.add_order(1)
    shop = make_shop()
    await shop.client.send("POST", "order/1/invoice", body={"capture": True})
    assert world.order(1)["items"][0]["qty_invoiced"] == 1
    assert (await run(shop, sqlite_database, synced())).lost_update == ""
    assert world.order(1)["items"][0]["qty_invoiced"] == 1


async def test_a_write_whose_answer_is_lost_is_repeated(
    world: World, make_shop: MakeShop, sqlite_database: Database
) -> None:
    world.add_order(1)
    world.fail_next(Planned("cut", method="POST"))
    assert (await run(make_shop(retries=2), sqlite_database, synced())).sales_order == NUMBER
    assert world.order(1)["ext_order_id"] == NUMBER


async def test_a_deadlock_is_tried_again(world: World, make_shop: MakeShop, sqlite_database: Database) -> None:
    world.add_order(1)
    world.fail_next(Planned("deadlock", method="POST"))
    assert (await run(make_shop(retries=2), sqlite_database, synced())).sales_order == NUMBER


async def test_a_failed_write_frees_the_order(world: World, make_shop: MakeShop, sqlite_database: Database) -> None:
    world.add_order(1)
    shop = make_shop()
    world.fail_next(Planned("error", method="POST"))
    with pytest.raises(Transient):
        await run(shop, sqlite_database, synced())
    assert (await run(shop, sqlite_database, synced())).sales_order == NUMBER


async def test_an_order_deleted_before_the_write(
    world: World, make_shop: MakeShop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_order(1)
    shop = make_shop()
    write = shop.write_order_number

    async def late(order_id: str, number: str) -> None:
        world.delete_order(1)
        await write(order_id, number)

    monkeypatch.setattr(shop, "write_order_number", late)
    with pytest.raises(Permanent, match="no order 1 any more"):
        await run(shop, sqlite_database, synced())
