"""Whatever a shop answers ends as orders read, or as a failure or a skip that says why; no poll is stuck for ever."""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.magento.check import check_shop
from adapters.magento.config import Bearer, MagentoConfig, StoreView
from adapters.magento.customers import update_customers
from adapters.magento.errors import MagentoError
from adapters.magento.order_numbers import write_order_numbers
from adapters.magento.orders import place_fetched_orders
from adapters.magento.publisher import LEASE, poll_orders
from adapters.magento.shop import Shop
from schemas import messages as m
from schemas.envelope import Publication
from schemas.failures import Failure
from schemas.order import OrderRef
from state.database import Database, open_database
from state.kept import Lease
from state.migrations import migrate
from tests.ecc.examples import message
from tests.hardening.fuzzing import changed_in, clear, fuzzed, mutated
from tests.magento.recordings import body

ORDERS = [body(f"orders/get_{kind}") for kind in ("registered", "guest", "custom_option", "canceled", "virtual")]
PAGE = {"items": sorted(ORDERS, key=lambda order: (order["updated_at"], order["entity_id"])), "total_count": 5}
CUSTOMERS = body("customers/search")
REF = OrderRef("default", str(ORDERS[0]["entity_id"]), ORDERS[0]["increment_id"])
REGISTRATION = m.Registration("0000012345", "0000000077")
RECORDED = [ORDERS[0], PAGE, CUSTOMERS, body("errors/404_order"), {"items": None}, [], None, True]
STATUSES = (200, 200, 200, 200, 201, 204, 301, 400, 401, 404, 429, 500, 503)
EVENT = m.CustomerRegistered(
    customer_key="1:42",
    website="1",
    store="default",
    registration=REGISTRATION,
    email="new@acme.example",
    original_email="old@acme.example",
    credit_limit=Decimal(5),
    credit_currency="EUR",
    registered_at=datetime(2026, 11, 23, tzinfo=UTC),
    account_id=str(CUSTOMERS["items"][0]["id"]),
)


class Answering:
    """A web server that answers every request with what it is told, on a loop of its own."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self.database: Database = open_database(f"sqlite:///{Path(self._directory.name)}/bus.db")
        migrate(self.database)
        self._url = self.run(self._start())

    async def _start(self) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._site = web.AppRunner(application, access_log=None)
        await self._site.setup()
        await web.TCPSite(self._site, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._site.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        # The last one again and again: a client that asks for ever would hang here.
        status, octets, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, body=octets, headers=headers)

    def run(self, work: Awaitable[Any]) -> Any:
        """Run a coroutine to its end."""

        async def limited() -> Any:
            return await asyncio.wait_for(work, 20)

        return self._runner.run(limited())

    def shop(self) -> Shop:
        """Return a client of the server."""
        config = MagentoConfig(
            url=self._url,
            auth=Bearer(token="token"),
            retries=0,
            quiet_period=0,
            page_size=5,
            max_body_bytes=1_000_000,
            stores={"1": StoreView(code="default", website="1")},
            guest_matches_account_by_email=True,
            product_skus=True,
            payment_gate="authorized",
            create_accounts=True,
        )
        return Shop(config)

    def close(self) -> None:
        """Stop."""
        self.run(self._site.cleanup())
        self._runner.close()
        self.database.close()
        self._directory.cleanup()


@pytest.fixture(scope="module")
def magento() -> Iterator[Answering]:
    answering = Answering()
    yield answering
    answering.close()


@st.composite
def answers(draw: st.DrawFn, documents: Sequence[Any] = tuple(RECORDED)) -> list[tuple[int, bytes, dict[str, str]]]:
    """Draw what a shop answers to the next requests: recorded bodies with changes, some of them broken off."""
    drawn = []
    for _ in range(draw(st.integers(1, 4))):
        octets = json.dumps(draw(mutated(draw(st.sampled_from(documents))))).encode()
        if draw(st.integers(0, 9)) == 0:
            octets = octets[: draw(st.integers(0, len(octets)))] + draw(st.binary(max_size=5))
        headers = {}
        if draw(st.booleans()):
            headers["Retry-After"] = draw(st.sampled_from(["0", "-1", "x", "9" * 30, "Mon, 99 Nov 2026 99:99:99 GMT"]))
        if draw(st.integers(0, 5)) == 0:
            headers["Date"] = draw(st.sampled_from(["x", "Mon, 01 Jan 0001 00:00:00 +1400", "Sun, 99 Foo", ""]))
        drawn.append((draw(st.sampled_from(STATUSES)), octets, headers))
    return drawn


def tried(magento: Answering, given_answers: Any, work: Callable[[Shop], Awaitable[Any]]) -> Any:
    """Do something with the shop; whatever is raised must be a clear failure."""
    magento.answers = list(given_answers)

    async def with_shop() -> Any:
        shop = magento.shop()
        try:
            return await work(shop)
        except Failure as failure:
            return clear(failure)
        finally:
            await shop.close()

    return magento.run(with_shop())


def served(document: Any, status: int = 200, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(document).encode(), headers


async def polled(magento: Answering, shop: Shop) -> list[Publication]:
    """Let the publisher look once, as if for the first time."""
    published: list[Publication] = []

    async def publish(publications: Sequence[Publication]) -> None:
        published.extend(publications)

    for table in ("lease", "watermark"):
        magento.database.execute({"lease": "DELETE FROM lease", "watermark": "DELETE FROM watermark"}[table])
    poll = poll_orders(shop, magento.database, lease=Lease(magento.database, LEASE, "fuzz"))
    # Twice: what the first look remembers must not be in the way of the second.
    for _ in range(2):
        assert await poll(publish) >= 0
    return published


@fuzzed(150)
@given(data=answers())
def test_orders_that_are_polled(magento: Answering, data: Any) -> None:
    tried(magento, data, lambda shop: polled(magento, shop))


@fuzzed(150)
@given(page=mutated(PAGE, most=2))
@example(page=changed_in(PAGE, "0000-00-00 00:00:00", "items", 0, "updated_at"))
@example(page=changed_in(PAGE, "0001-01-01 00:00:00", "items", 0, "updated_at"))
@example(page=changed_in(PAGE, "2026-02-30 00:00:00", "items", 4, "updated_at"))
@example(page=changed_in(PAGE, "NaN", "items", 4, "total_due"))
@example(page=changed_in(PAGE, "NaN", "items", 4, "payment", "amount_authorized"))
@example(page=changed_in(PAGE, "9999-99-99 99:99:99", "items", 4, "updated_at"))
def test_one_broken_order_holds_up_no_other(magento: Answering, page: Any) -> None:
    """A page that was changed in one order or two: the poll passes it, or says what is wrong with the page itself."""
    data = [served(page), served(CUSTOMERS)]
    tried(magento, data, lambda shop: polled(magento, shop))


@fuzzed(150)
@given(data=answers([ORDERS[0], CUSTOMERS]))
def test_orders_that_are_fetched(magento: Answering, data: Any) -> None:
    tried(magento, data, lambda shop: handled(place_fetched_orders(shop), m.FetchOrder(REF, REGISTRATION)))


@fuzzed(150)
@given(data=answers([CUSTOMERS, CUSTOMERS["items"][0], True]))
def test_customers_that_are_updated(magento: Answering, data: Any) -> None:
    tried(magento, data, lambda shop: handled(update_customers(shop), EVENT))


@fuzzed(150)
@given(
    data=answers([ORDERS[0], {"items": [{"state": 2, "grand_total": 1, "items": [{"order_item_id": 1, "qty": 1}]}]}])
)
def test_numbers_that_are_written(magento: Answering, data: Any) -> None:
    synced = m.OrderSynced(REF, "0000000123", "0000010001")
    tried(magento, data, lambda shop: handled(write_order_numbers(shop, magento.database), synced))


@fuzzed(50)
@given(data=answers([*RECORDED, [{"id": 1, "code": "default", "website_id": 1}]]))
def test_what_is_checked(magento: Answering, data: Any) -> None:
    async def checked(shop: Shop) -> None:
        async for finding in check_shop(shop, first_run=True):
            assert finding.ok or finding.remedy

    tried(magento, data, checked)


async def handled(handler: Any, given_body: m.Body) -> Any:
    try:
        return await handler(message(given_body))
    except MagentoError as error:
        raise AssertionError("the shop's own error came through") from error
