"""Newly registered customers are noticed: all of them, once, and again only where that is harmless."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.ecc import metrics
from adapters.ecc.customers import register_customers
from adapters.ecc.holds import hold_orders
from adapters.ecc.registrations import NAME, poll_registrations
from adapters.ecc.sessions import Conversation, Sessions
from schemas.envelope import Poll, Publication
from schemas.failures import Transient
from schemas.messages import CustomerRegistered, HoldOrder, RegisterCustomer
from schemas.order import OrderRef
from state import watermark
from state.database import Database, open_database
from state.kept import Lease
from state.migrations import migrate
from tests.ecc.conftest import Ecc
from tests.ecc.examples import PLACED, customer, message


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/bus.db")
    migrate(database)
    yield database
    database.close()


class Published:
    """Takes what a poll publishes; fails once where told to."""

    def __init__(self) -> None:
        self.all: list[Publication] = []
        self.fails = False

    async def __call__(self, publications: Sequence[Publication]) -> None:
        if self.fails:
            raise Transient("The broker did not confirm.", "Wait.")
        self.all += publications

    def customer_keys(self) -> list[str]:
        assert all(isinstance(made.body, CustomerRegistered) for made in self.all)
        return [made.body.customer_key for made in self.all]  # type: ignore[union-attr]


def register(ecc: Ecc, sessions: Sessions, *accounts: int) -> None:
    handle = register_customers(sessions, ecc.configure())
    for account in accounts:
        handle(message(RegisterCustomer(customer(f"1:{account}"), "erika@example.com")))


def poll_of(ecc: Ecc, sessions: Sessions, database: Database, **options: Any) -> Poll:
    config = {"poll_seconds": 3, **options.pop("config", {})}
    return poll_registrations(sessions, ecc.configure(**config), database, Lease(database, NAME, "a"), **options)


async def test_customers_come_page_by_page_and_once(ecc: Ecc, sessions: Sessions, database: Database) -> None:
    """All of one second, which is more than a page holds."""
    await asyncio.to_thread(register, ecc, sessions, *range(1, 8))
    poll, published = poll_of(ecc, sessions, database, config={"page_size": 2}), Published()
    assert await poll(published) == 3
    assert sorted(published.customer_keys()) == [f"1:{n}" for n in range(1, 8)]
    await poll(published)
    assert len(published.all) == 7
    await asyncio.to_thread(register, ecc, sessions, 8)
    await poll(published)
    assert published.customer_keys()[7:] == ["1:8"]


async def test_what_people_register_is_noticed(ecc: Ecc, sessions: Sessions, database: Database) -> None:
    poll, published = poll_of(ecc, sessions, database), Published()
    await poll(published)
    ref = OrderRef(store="default", order_id="1", increment_id="000000001")
    held = message(HoldOrder(ref=ref, customer=customer("1:42"), placed_at=PLACED))
    await asyncio.to_thread(hold_orders(sessions, ecc.configure()), held)
    await asyncio.to_thread(ecc.request, "customers", {"all_waiting": True})
    await poll(published)
    assert published.customer_keys() == ["1:42"]


async def test_after_a_restart_the_overlap_makes_the_same_messages(
    ecc: Ecc, sessions: Sessions, database: Database
) -> None:
    await asyncio.to_thread(register, ecc, sessions, 1, 2)
    before, after = Published(), Published()
    await poll_of(ecc, sessions, database)(before)
    await poll_of(ecc, sessions, database)(after)
    assert [made.id for made in after.all] == [made.id for made in before.all]
    later = Published()
    await poll_of(ecc, sessions, database, config={"overlap_seconds": 0})(later)
    assert len(later.all) <= 2


async def test_the_watermark_waits_for_the_broker(ecc: Ecc, sessions: Sessions, database: Database) -> None:
    await asyncio.to_thread(register, ecc, sessions, 1)
    poll, published = poll_of(ecc, sessions, database), Published()
    published.fails = True
    with pytest.raises(Transient):
        await poll(published)
    assert watermark.read(database, NAME) is None
    published.fails = False
    await poll(published)
    assert published.customer_keys() == ["1:1"]
    mark = watermark.read(database, NAME)
    assert mark is not None
    assert mark[1] == "1:1"


async def test_one_process_polls_and_another_takes_over(ecc: Ecc, sessions: Sessions, database: Database) -> None:
    await asyncio.to_thread(register, ecc, sessions, 1)
    first, second = Published(), Published()
    leases = [Lease(database, NAME, holder) for holder in ("a", "b")]
    looking, waiting = (poll_registrations(sessions, ecc.configure(), database, lease) for lease in leases)
    await looking(first)
    await waiting(second)
    assert (len(first.all), len(second.all)) == (1, 0)
    await leases[0].give_back()
    await waiting(second)
    assert len(second.all) == 1


async def test_a_start_without_a_broker_begins_again_with_everybody(
    ecc: Ecc, sessions: Sessions, database: Database
) -> None:
    await asyncio.to_thread(register, ecc, sessions, 1, 2)
    watermark.advance(database, NAME, ("2999-01-01T00:00:00Z", ""))
    poll, published = poll_of(ecc, sessions, database, reread=True), Published()
    await poll(published)
    await poll(published)
    assert published.customer_keys() == ["1:1", "1:2"]


async def test_a_broken_row_holds_up_no_other_and_a_time_ahead_no_later_one(
    ecc: Ecc,
    sessions: Sessions,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await asyncio.to_thread(register, ecc, sessions, 1, 2)
    call: Callable[..., Any] = Conversation.call

    def tampered(self: Conversation, function: str, /, **parameters: Any) -> Any:
        answer = dict(call(self, function, **parameters))
        rows = answer.get("ET_CUSTOMERS", [])
        if len(rows) == 2:
            rows[0] |= {"KUNNR": "12345678901", "LAST_NAME": "Geheim"}
            rows[1] |= {"CHANGED_AT": "2999-01-01T00:00:00Z"}
        return answer

    monkeypatch.setattr(Conversation, "call", tampered)
    poll, published = poll_of(ecc, sessions, database), Published()
    skipped = metrics.SKIPPED_REGISTRATIONS._value.get()
    await poll(published)
    assert published.customer_keys() == ["1:2"]
    assert metrics.SKIPPED_REGISTRATIONS._value.get() == skipped + 1
    assert "12345678901" in caplog.text
    assert "Geheim" not in caplog.text
    monkeypatch.undo()
    await asyncio.to_thread(register, ecc, sessions, 3)
    await poll(published)
    assert "1:3" in published.customer_keys()


async def test_looks_use_one_session(ecc: Ecc, database: Database, sessions: Sessions) -> None:
    poll, published = poll_of(ecc, sessions, database), Published()
    for _ in range(5):
        await poll(published)
    assert ecc.counts()["logons"] == 1


def test_messages_of_a_customer_share_their_correlation(ecc: Ecc, sessions: Sessions, database: Database) -> None:
    register(ecc, sessions, 1)
    published = Published()
    asyncio.run(poll_of(ecc, sessions, database)(published))  # type: ignore[arg-type]
    (made,) = published.all
    assert made.correlation_id
    assert made.id != made.correlation_id
    assert replace(made, id="x").body == made.body
