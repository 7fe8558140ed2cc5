"""The order publisher: reads what is new in the shop and publishes each ready order once.

It goes by Magento's own times alone. What it has published is remembered, since its own write-back moves an order's
``updated_at``; and it moves its watermark only behind what the broker has confirmed.
"""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec

from adapters.magento import ledger, metrics
from adapters.magento.gates import FINISHED_STATES, Skip, closed_gate, numbered
from adapters.magento.ledger import SkippedOrder
from adapters.magento.orders import canonical_orders
from adapters.magento.reading import BEGINNING, TIME_FORMAT, Mark, OrderPage, Row, page_behind, page_of_ids_behind
from adapters.magento.rest_types import NEVER, OrderJson, text
from adapters.magento.search import Filter, any_of
from adapters.magento.shop import Shop
from schemas.envelope import Poll, Publication, Publish
from schemas.messages import OrderPlaced
from schemas.order import Order
from state import watermark
from state.database import Database
from state.kept import LOOK_AGAIN, Lease

LEASE = WATERMARK = "magento-orders"
"""Name of the publisher's lease and of its watermark."""
SHORT_OVERLAP = 3.0
"""Seconds read again in every look, for transactions that end in another order than they began; the whole configured
overlap is read again less often, a third of it apart, so that each change is looked for at least three times."""
_NAMESPACE = uuid.UUID("5e1cbb3c-6d0f-5b0e-9b8a-8a6d6f0f9f0b")

_log = logging.getLogger(__name__)


def poll_orders(shop: Shop, database: Database, *, lease: Lease, reread_unfinished: bool = False) -> Poll:
    """Return the poll that publishes ready orders, a page at each look.

    Parameters
    ----------
    database:
        The bus's own database: watermark, and what was published or skipped.
    lease:
        That of the name `LEASE`: one of all processes polls, another takes over when its lease ends. One that loses
        it finishes its page, which is harmless: the same orders make the same ids.
    reread_unfinished:
        Begin by publishing again each order that Magento does not show as finished, published before or not: for the
        broker in memory, whose messages die with the process.
    """
    return _Publisher(shop, database, lease, reread_unfinished=reread_unfinished).look


def publication_of(order: Order) -> Publication:
    """Return the message that places an order; the same content read again makes the same id."""
    content = msgspec.structs.replace(order, updated_at=order.placed_at)
    digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()
    ref = order.ref
    name = "/".join((order.website, ref.store, ref.order_id, "placed", digest))
    return Publication(
        body=OrderPlaced(order=order),
        id=str(uuid.uuid5(_NAMESPACE, name)),
        correlation_id=ref.correlation_id,
        subject=ref.subject,
    )


class _Publisher:
    def __init__(self, shop: Shop, database: Database, lease: Lease, *, reread_unfinished: bool) -> None:
        self._shop = shop
        self._database = database
        self._lease = lease
        since = shop.config.orders_since
        self._only = [Filter("created_at", "gteq", since)] if since else []
        self._unfinished_behind: int | None = 0 if reread_unfinished else None
        self._cursor: Mark | None = None
        self._next_long_overlap = 0.0

    async def look(self, publish: Publish) -> float:
        """Publish the next page, and return the seconds until the next look."""
        interval = self._shop.config.poll_interval
        if not await self._lease.mine():
            self._cursor = None
            return min(interval, LOOK_AGAIN)
        if self._unfinished_behind is not None:
            await self._next_unfinished(self._unfinished_behind, publish)
            return 0.0
        return 0.0 if await self._next_changed(publish) else interval

    async def _next_unfinished(self, behind: int, publish: Publish) -> None:
        open_ones = [Filter("ext_order_id", "null"), any_of("state", FINISHED_STATES, exclude=True), *self._only]
        page = await page_of_ids_behind(self._shop, behind, self._shop.config.page_size, open_ones)
        await self._place(page, publish, again=True)
        self._unfinished_behind = page.rows[-1].key.entity_id if page.rows and page.more else None

    async def _next_changed(self, publish: Publish) -> bool:
        """Publish the next page of changed orders; return whether there may be more."""
        behind = self._cursor or await self._start()
        page = await page_behind(self._shop, behind, self._shop.config.page_size, self._only)
        await self._place(page, publish, again=False)
        if page.rows:
            last = page.rows[-1].mark
            reached = last if page.date is None else min(last, _clock_mark(page.date))
            mark = (reached.updated_at, str(reached.entity_id))
            await asyncio.to_thread(watermark.advance, self._database, WATERMARK, mark)
            self._cursor = last
        metrics.LAG.set(_lag(page))
        if not page.more:
            self._cursor = None
        return page.more

    async def _start(self) -> Mark:
        stored = await asyncio.to_thread(watermark.read, self._database, WATERMARK)
        if stored is None:
            return BEGINNING
        overlap = self._shop.config.overlap_seconds
        now = time.monotonic()
        if now < self._next_long_overlap:
            overlap = min(overlap, SHORT_OVERLAP)
        else:
            self._next_long_overlap = now + overlap / 3
        return max(BEGINNING, Mark(stored[0], int(stored[1])).back(overlap))

    async def _place(self, page: OrderPage, publish: Publish, *, again: bool) -> None:
        """Publish what is ready, and remember what became of every order of the page."""
        ids = [str(row.key.entity_id) for row in page.rows]
        known = set() if again else await asyncio.to_thread(ledger.published_among, self._database, ids)
        ready: list[tuple[Row, OrderJson]] = []
        skipped: list[SkippedOrder] = []
        for row in page.rows:
            if str(row.key.entity_id) in known:
                continue
            order = _decoded(row)
            skip = order if isinstance(order, Skip) else numbered(order) or closed_gate(order, self._shop.config)
            if skip is not None:
                skipped.append(await self._skipped(row, skip))
            elif isinstance(order, OrderJson):
                ready.append((row, order))
        placed = []
        for (row, _), found in zip(ready, await self._canonical([order for _, order in ready]), strict=True):
            if isinstance(found, Skip):
                skipped.append(await self._skipped(row, found))
            else:
                placed.append(publication_of(found))
        if placed:
            await publish(placed)
        await self._remember(placed, skipped)

    async def _canonical(self, orders: Sequence[OrderJson]) -> list[Order | Skip]:
        return await canonical_orders(self._shop, orders) if orders else []

    async def _remember(self, placed: Sequence[Publication], skipped: Sequence[SkippedOrder]) -> None:
        if not placed and not skipped:
            return
        by_order = {one.body.order.ref.order_id: one.id for one in placed if isinstance(one.body, OrderPlaced)}
        metrics.PUBLISHED.inc(len(placed))
        for one in await asyncio.to_thread(ledger.settle, self._database, by_order, skipped):
            metrics.SKIPPED.labels(one.reason).inc()
            if one.reason in {"unreadable", "store"}:
                _log.warning("Magento's order %s is skipped: %s.", one.order_id, one.detail)

    async def _skipped(self, row: Row, skip: Skip) -> SkippedOrder:
        store_id = text(row.key.store_id)
        view = await self._shop.store_view(store_id) if skip.reason != "store" else None
        return SkippedOrder(
            order_id=str(row.key.entity_id),
            increment_id=text(row.key.increment_id),
            store=view.code if view else store_id,
            reason=skip.reason,
            detail=skip.detail,
            updated_at=row.key.updated_at,
        )


def _decoded(row: Row) -> OrderJson | Skip:
    if row.raw is None:
        return Skip("unreadable", "its JSON is longer than magento.max_body_bytes")
    try:
        return msgspec.json.decode(row.raw, type=OrderJson)
    except (msgspec.DecodeError, RecursionError) as error:
        return Skip("unreadable", str(error))


def _clock_mark(date: datetime) -> Mark:
    """Return the shop's own moment: an order dated later, by whatever mistake, must not push the watermark past it."""
    return Mark(date.strftime(TIME_FORMAT), 0)


def _lag(page: OrderPage) -> float:
    if not page.more or page.date is None or not page.rows:
        return 0.0
    last = page.rows[-1].key.updated_at
    if last == NEVER:
        return 0.0
    reached = datetime.fromisoformat(last).replace(tzinfo=page.date.tzinfo)
    return max((page.date - reached).total_seconds(), 0.0)
