"""The shop's orders of a span of time, as far as it takes to compare them with ECC: page by page, in flat memory."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Struct

from adapters.magento.gates import FINISHED_STATES, Skip, closed_gate
from adapters.magento.mapping import UnreadableError, moment
from adapters.magento.orders import canonical_orders
from adapters.magento.publisher import publication_of
from adapters.magento.reading import TIME_FORMAT, OrderPage, Row, page_of_ids_behind
from adapters.magento.rest_types import OrderJson, text
from adapters.magento.search import Filter, any_of
from adapters.magento.shop import MOST_IDS, Shop
from schemas.envelope import Publication
from schemas.order import OrderRef

FIELDS = (
    "items[entity_id,increment_id,store_id,state,status,ext_order_id,created_at,updated_at,grand_total,"
    "base_grand_total,tax_amount,total_due,order_currency_code,"
    "payment[method,amount_authorized,base_amount_authorized]],total_count"
)
"""What is asked for of each order: a twentieth of the whole."""
_PRECISION = Decimal("0.0001")
"""Magento's columns are DECIMAL(20,4); more digits are noise of PHP's number formatting."""


class ShopOrder(Struct, frozen=True):
    """An order as the shop shows it at one moment."""

    ref: OrderRef
    """Its store is the store's id where the store view is not known."""
    created_at: datetime
    unchanged_for: float
    """Seconds since its last change, by the shop's clock."""
    number: str = ""
    """``ext_order_id``."""
    finished: bool = False
    """Cancelled, or wholly refunded."""
    closed_gate: str = ""
    """Why the publisher does not take it as it stands; empty when it does."""
    net: Decimal = Decimal(0)
    currency: str = ""
    problem: str = ""
    """Why it cannot be read; nothing else is to be relied on then."""


class WindowPage(Struct, frozen=True):
    """Orders by rising id, and how many there are in all, by the shop's count."""

    orders: list[ShopOrder]
    total: int


async def orders_between(shop: Shop, since: datetime, until: datetime) -> AsyncIterator[WindowPage]:
    """Yield the pages of orders created in a span of time, its end excluded.

    They are read by id and not by time of change, so that none is missed or met twice however they change meanwhile.
    """
    span = [Filter("created_at", "gteq", _text(since)), Filter("created_at", "lt", _text(until))]
    behind, more, total = 0, True, 0
    while more:
        page = await page_of_ids_behind(shop, behind, shop.config.page_size, span, FIELDS)
        # The count is of what is still to be read; the first one is of all.
        total = total or page.total
        if page.rows:
            behind = page.rows[-1].key.entity_id
            yield WindowPage(await _shop_orders(shop, page), total)
        more = page.more and bool(page.rows)


async def orders_of(shop: Shop, order_ids: Collection[str]) -> dict[str, ShopOrder]:
    """Return the orders of these ids, by id; what does not exist is missing."""
    found: dict[str, ShopOrder] = {}
    async for page in _pages_of(shop, order_ids, FIELDS):
        found.update((one.ref.order_id, one) for one in await _shop_orders(shop, page))
    return found


async def exists(shop: Shop, order_id: str) -> bool:
    """Return whether there is an order of this id, asked in two ways: much may follow from a no."""
    return await shop.order(order_id) is not None


async def placements(shop: Shop, order_ids: Collection[str]) -> dict[str, Publication]:
    """Return the messages that place these orders as they stand now, by id.

    The gates are passed: whoever asks has decided. One that is cancelled, gone or unreadable by now has none.
    """
    made: dict[str, Publication] = {}
    async for page in _pages_of(shop, order_ids, ""):
        orders = [order for row in page.rows if isinstance(order := _decoded(row), OrderJson)]
        alive = [order for order in orders if text(order.state) not in FINISHED_STATES]
        for found in await canonical_orders(shop, alive) if alive else ():
            if not isinstance(found, Skip):
                made[found.ref.order_id] = publication_of(found)
    return made


async def _pages_of(shop: Shop, order_ids: Collection[str], fields: str) -> AsyncIterator[OrderPage]:
    wanted = sorted({one for one in order_ids if one.isascii() and one.isdigit()}, key=int)
    size = min(MOST_IDS, shop.config.page_size)
    for start in range(0, len(wanted), size):
        only = [any_of("entity_id", wanted[start : start + size])]
        behind, more = 0, True
        while more:
            # More than one page only where they are read in smaller ones, for their length.
            page = await page_of_ids_behind(shop, behind, size, only, fields)
            yield page
            more = page.more and bool(page.rows) and page.rows[-1].key.entity_id < int(only[0].value.split(",")[-1])
            behind = page.rows[-1].key.entity_id if page.rows else behind


async def _shop_orders(shop: Shop, page: OrderPage) -> list[ShopOrder]:
    return [await _shop_order(shop, row, page.date or datetime.now(UTC)) for row in page.rows]


async def _shop_order(shop: Shop, row: Row, now: datetime) -> ShopOrder:
    key = row.key
    view = await shop.store_view(text(key.store_id))
    ref = OrderRef(view.code if view else text(key.store_id), str(key.entity_id), text(key.increment_id))
    broken = ShopOrder(ref, created_at=now, unchanged_for=0.0)
    if view is None:
        return _broken(broken, f"its store id {text(key.store_id)[:20] or 'none'} is no store view of the shop")
    order = _decoded(row)
    if isinstance(order, str):
        return _broken(broken, order)
    try:
        gate = closed_gate(order, shop.config)
        since = shop.config.orders_since
        return ShopOrder(
            ref=ref,
            created_at=moment(order.created_at),
            unchanged_for=(now - moment(order.updated_at)).total_seconds(),
            number=text(order.ext_order_id),
            finished=text(order.state) in FINISHED_STATES,
            closed_gate="it is older than magento.orders_since" if order.created_at < since else _detail(gate),
            net=_net(order),
            currency=text(order.order_currency_code),
        )
    except UnreadableError as error:
        return _broken(broken, str(error))


def _broken(order: ShopOrder, problem: str) -> ShopOrder:
    return msgspec.structs.replace(order, problem=problem)


def _detail(gate: Skip | None) -> str:
    return gate.detail if gate else ""


def _net(order: OrderJson) -> Decimal:
    """Return the total without tax, as the canonical order has it."""
    try:
        if order.grand_total is not None:
            tax = (order.tax_amount or Decimal(0)).quantize(_PRECISION)
            return order.grand_total.quantize(_PRECISION) - tax
    except InvalidOperation:
        pass
    raise UnreadableError("grand_total or tax_amount is no amount")


def _decoded(row: Row) -> OrderJson | str:
    if row.raw is None:
        return "its JSON is longer than magento.max_body_bytes"
    try:
        return msgspec.json.decode(row.raw, type=OrderJson)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).strftime(TIME_FORMAT)
