"""Reading orders by keyset: continuing behind the last pair of time and id, never by page number.

Rows move while one reads, since every change of an order moves its ``updated_at``; a page number would then skip
orders, a pair cannot.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from adapters.magento.client import Answer
from adapters.magento.errors import BodyTooLargeError, MagentoError
from adapters.magento.rest_types import OrderKey, Page
from adapters.magento.search import Filter, criteria
from adapters.magento.shop import Shop
from schemas.failures import Permanent, Transient

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_KEY_FIELDS = "items[entity_id,updated_at,increment_id,store_id]"


class Mark(NamedTuple):
    """How far orders have been read; compares as Magento sorts."""

    updated_at: str
    """Magento's time, UTC, which sorts as text."""
    entity_id: int

    def back(self, seconds: float) -> "Mark":
        """Return the mark that lies so many seconds earlier, before every order of its second."""
        try:
            earlier = datetime.fromisoformat(self.updated_at) - timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return BEGINNING
        return Mark(earlier.strftime(TIME_FORMAT), 0)


BEGINNING = Mark("1970-01-02 00:00:00", 0)
"""Before every order."""


class Row(msgspec.Struct, frozen=True):
    """An order of a page: its key, and its JSON still undecoded."""

    key: OrderKey
    raw: msgspec.Raw | None
    """``None`` where even alone it is longer than is read."""

    @property
    def mark(self) -> Mark:
        """Where the order stands."""
        return Mark(self.key.updated_at, self.key.entity_id)


class OrderPage(msgspec.Struct, frozen=True):
    """Orders in reading order."""

    rows: list[Row]
    more: bool
    """There may be more behind the last row."""
    date: datetime | None
    """The shop's clock when the page was read."""
    total: int = 0
    """How many orders the search met in all, by the shop's count."""


async def page_behind(shop: Shop, after: Mark, size: int, only: Sequence[Filter] = ()) -> OrderPage:
    """Return the orders behind a mark, oldest change first.

    Magento compares no pairs. One request reads from the mark's second on and drops what lies before the mark; where
    one second holds more orders than a page, the rest of that second is asked for by id, then what is later.
    """
    by_time = ("updated_at", "entity_id")
    page = await _read(shop, [Filter("updated_at", "gteq", after.updated_at), *only], by_time, size)
    fresh = [row for row in page.rows if row.mark > after]
    if fresh or not page.more:
        return OrderPage(fresh, page.more, page.date)
    same_second = [Filter("updated_at", "eq", after.updated_at), Filter("entity_id", "gt", str(after.entity_id))]
    page = await _read(shop, [*same_second, *only], ("entity_id",), size)
    if page.rows:
        return OrderPage(page.rows, more=True, date=page.date)
    return await _read(shop, [Filter("updated_at", "gt", after.updated_at), *only], by_time, size)


async def page_of_ids_behind(
    shop: Shop, entity_id: int, size: int, only: Sequence[Filter] = (), fields: str = ""
) -> OrderPage:
    """Return the orders with a higher id, lowest first; see `adapters.magento.search.criteria` for the fields."""
    return await _read(shop, [Filter("entity_id", "gt", str(entity_id)), *only], ("entity_id",), size, fields)


async def _read(shop: Shop, filters: Sequence[Filter], sort: Sequence[str], size: int, fields: str = "") -> OrderPage:
    """Read one page, in halves while it is longer than may be read; a single order that still is stays undecoded."""
    while True:
        try:
            return _page(await _ask(shop, filters, sort, size, fields), sort, size, keys_only=False)
        except BodyTooLargeError:
            if size == 1:
                return _page(await _ask(shop, filters, sort, 1, _KEY_FIELDS), sort, 1, keys_only=True)
            size = max(size // 2, 1)


async def _ask(shop: Shop, filters: Sequence[Filter], sort: Sequence[str], size: int, fields: str = "") -> Answer:
    try:
        return await shop.client.get("orders", criteria(filters, size=size, sort=sort, fields=fields))
    except MagentoError as error:
        raise Permanent(str(error), "Look for an extension that changes the search of orders.") from None


def _page(answer: Answer, sort: Sequence[str], size: int, *, keys_only: bool) -> OrderPage:
    found = answer.decoded(Page)
    raws = found.items or []
    rows = [Row(_key(raw, answer.where), None if keys_only else raw) for raw in raws]
    marks = [row.mark if sort[0] == "updated_at" else Mark("", row.key.entity_id) for row in rows]
    if marks != sorted(set(marks)) or len(rows) > size:
        # Going on from the last row would leave out orders without a trace.
        raise Transient(
            "Magento returned orders in another order or number than asked for.",
            "Look for an extension that changes the search of orders.",
        )
    return OrderPage(rows, len(rows) >= size, answer.date, found.total_count)


def _key(raw: msgspec.Raw, where: str) -> OrderKey:
    try:
        return msgspec.json.decode(raw, type=OrderKey)
    except msgspec.DecodeError as error:
        raise Transient(
            f"Magento answered {where} with an order without id or time of change ({error}).",
            "Look for an extension that changes orders.",
        ) from None
