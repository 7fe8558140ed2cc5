"""What a sweep publishes, and which process sweeps."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY

from adapters.ecc.connect import open_sessions
from adapters.magento.history import placements
from adapters.magento.shop import Shop
from orderbus.config import load
from orderbus.reconciliation.repair import Repairs
from orderbus.reconciliation.service import poll_differences, terms_of
from orderbus.reconciliation.sweep import Sweep, Window
from schemas.envelope import Publication
from schemas.messages import CustomerRegistered, OrderPlaced
from state.database import open_database
from state.migrations import migrate
from tests.flow.buying import Buyer, buy, guest, registered
from tests.reconcile.conftest import World


class Sides:
    """Both systems as a process opens them, and a broker that keeps what is published."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.config = load(world.stack.config, {}).config
        self.shop = Shop(self.config.magento)
        self.sessions = open_sessions(self.config.ecc)
        self.terms = terms_of(self.config.reconcile, self.config.ecc, self.config.router)
        self.database = open_database(self.config.database.url)
        self.published: list[Publication] = []

    async def publish(self, publications: Sequence[Publication]) -> None:
        self.published += publications

    async def buy(self, buyers: Sequence[Buyer]) -> list[int]:
        return await asyncio.to_thread(buy, self.world.stack.shop_url, buyers)

    async def close(self) -> None:
        self.sessions.close()
        self.database.close()
        await self.shop.close()

    async def sweep(self, name: str, seconds_back: int = 3600) -> list[str]:
        """Sweep, heal, and return the routing key of what heals each finding."""
        healed: list[str] = []
        repairs = Repairs(self.shop, self.publish, name)
        sweep = Sweep(self.shop, self.sessions, self.config.ecc, self.database, self.terms)
        async for page in sweep.over(Window.back(seconds_back)):
            healed += (await repairs.make(page.findings)).values()
        return healed


@pytest.fixture
async def sides(world: World) -> AsyncIterator[Sides]:
    both = Sides(world)
    yield both
    await both.close()


async def test_a_repeated_message_is_another_than_the_first_and_than_that_of_the_sweep_before(sides: Sides) -> None:
    (order_id,) = await sides.buy([registered(0)])
    for sweep in ("one", "one", "two"):
        assert await sides.sweep(sweep) == ["order.placed"]
    first, same, later = sides.published
    by_poll = (await placements(sides.shop, [str(order_id)]))[str(order_id)]
    assert first == same
    assert len({by_poll.id, first.id, later.id}) == 3
    assert replace(first, id="") == replace(by_poll, id="")
    assert isinstance(first.body, OrderPlaced)
    assert first.body.release is None


@pytest.mark.parametrize("seconds_back", [3600, -3600], ids=["within the window", "outside it"])
async def test_a_customer_is_released_once_however_many_pages_wait(world: World, seconds_back: int) -> None:
    text = world.stack.config.read_text()
    for key in ("poll_interval", "poll_seconds"):
        text = text.replace(f"\n{key}", f"\npage_size = 2\n{key}")
    world.stack.config.write_text(text)
    for order_id in await asyncio.to_thread(buy, world.stack.shop_url, [guest(0)] * 5):
        world.hold(order_id, "1:guest:guest0@mail.example")
    world.register("1:guest:guest0@mail.example")
    sides = Sides(world)
    assert (sides.config.magento.page_size, sides.config.ecc.page_size) == (2, 2)
    # The customer itself is found within the window alone: the directory does not know it either.
    findings = 6 if seconds_back > 0 else 5
    assert await sides.sweep("one", seconds_back) == ["customer.registered"] * findings
    (made,) = sides.published
    assert isinstance(made.body, CustomerRegistered)
    assert (made.body.store, made.body.website, made.body.account_id) == ("default", "1", None)
    await sides.close()


async def test_one_of_several_processes_sweeps_and_only_once_in_an_interval(sides: Sides, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/lease.db")
    migrate(database)
    settings = replace(sides.config.reconcile, interval=1000.0)

    def sweeps() -> int:
        calls: dict[str, int] = sides.world.stack.ecc_counts()["calls"]
        return calls.get("Z_ORDERBUS_PENDING_GET", 0)

    mine, theirs = (
        poll_differences(sides.shop, sides.sessions, sides.config.ecc, sides.terms, settings, database, holder)
        for holder in ("mine", "theirs")
    )
    before = sweeps()
    assert await mine(sides.publish) == 1000
    assert sweeps() == before + 1
    assert 0 < await theirs(sides.publish) < 1000
    assert sweeps() == before + 1
    database.close()


async def test_a_repair_that_does_not_help_is_repeated_ever_more_seldom(
    sides: Sides, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As with an order that ECC refuses each time: nothing but dead letters comes of it."""
    (poison,) = await sides.buy([registered(0)])
    database = open_database(f"sqlite:///{tmp_path}/lease.db")
    migrate(database)
    settings = replace(sides.config.reconcile, repair=True, interval=0.001)
    poll = poll_differences(sides.shop, sides.sessions, sides.config.ecc, sides.terms, settings, database, "me")
    repaired = []
    for sweep in range(1, 9):
        before = len(sides.published)
        await poll(sides.publish)
        repaired += [sweep] * (len(sides.published) - before)
        assert metric("orderbus_reconcile_findings") == 1
        assert metric("orderbus_reconcile_returned_findings") == (sweep > 1)
        assert ("1 came back after a repair; see `orderbus dead list`" in caplog.messages[-1]) == (sweep > 1)
    assert repaired == [1, 2, 4, 8]
    # Another finding need not wait for that.
    (fine,) = await sides.buy([registered(1)])
    await poll(sides.publish)
    assert [one.body.order.ref.order_id for one in sides.published if isinstance(one.body, OrderPlaced)] == [
        *[str(poison)] * 4,
        str(fine),
    ]
    database.close()


def metric(name: str) -> float | None:
    """Return what this process counts of orders that are missing in ECC."""
    return REGISTRY.get_sample_value(name, {"kind": "missing-in-ecc"})


async def test_a_sweep_that_did_not_come_to_its_end_is_begun_again_by_another_process_at_once(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/lease.db")
    migrate(database)
    settings = replace(sides.config.reconcile, interval=1000.0)
    mine, theirs = (
        poll_differences(sides.shop, sides.sessions, sides.config.ecc, sides.terms, settings, database, holder)
        for holder in ("mine", "theirs")
    )
    begun = asyncio.Event()

    async def hangs(*_: object) -> AsyncIterator[object]:
        begun.set()
        await asyncio.Event().wait()
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "over", hangs)
        sweeping = asyncio.create_task(mine(sides.publish))
        await begun.wait()
        assert await theirs(sides.publish) < 10
        sweeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeping
    assert await theirs(sides.publish) == 1000
    assert await mine(sides.publish) < 10
    database.close()


async def test_the_service_only_tells_unless_it_is_told_to_heal(sides: Sides, tmp_path: Path) -> None:
    await sides.buy([registered(0)])
    database = open_database(f"sqlite:///{tmp_path}/lease.db")
    migrate(database)
    for repair in (False, True):
        settings = replace(sides.config.reconcile, repair=repair, interval=0.001)
        poll = poll_differences(sides.shop, sides.sessions, sides.config.ecc, sides.terms, settings, database, "me")
        await poll(sides.publish)
        assert len(sides.published) == repair
    database.close()
