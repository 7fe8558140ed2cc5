"""What the order publisher remembers: which orders it has published, and which it has passed over and why."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from state.database import Database

LENGTHS = {"order_id": 20, "increment_id": 64, "store": 64, "reason": 32, "detail": 1000, "updated_at": 64}
"""Characters that the columns of the table ``magento_skipped`` take."""

_PUBLISHED = "SELECT order_id FROM magento_published WHERE order_id = :order_id"
_PUBLISH = """
    INSERT INTO magento_published (order_id, publication, published_at) VALUES (:order_id, :publication, :published_at)
    ON CONFLICT (order_id) DO UPDATE SET publication = excluded.publication, published_at = excluded.published_at
"""
_NOT_SKIPPED = "DELETE FROM magento_skipped WHERE order_id = :order_id"
_SKIP = """
    INSERT INTO magento_skipped (order_id, increment_id, store, reason, detail, updated_at, skipped_at)
    VALUES (:order_id, :increment_id, :store, :reason, :detail, :updated_at, :skipped_at)
    ON CONFLICT (order_id) DO UPDATE SET
        increment_id = excluded.increment_id,
        store = excluded.store,
        reason = excluded.reason,
        detail = excluded.detail,
        updated_at = excluded.updated_at,
        skipped_at = excluded.skipped_at
    WHERE magento_skipped.reason <> excluded.reason OR magento_skipped.updated_at <> excluded.updated_at
    RETURNING order_id
"""
_SKIPPED = """
    SELECT order_id, increment_id, store, reason, detail, updated_at
    FROM magento_skipped ORDER BY updated_at DESC LIMIT :limit
"""


class SkippedOrder(Struct, frozen=True):
    """An order that was read and not published."""

    order_id: str
    increment_id: str
    store: str
    """Store view code, or the store's id where the view is not known."""
    reason: str
    """One of `adapters.magento.gates.Reason`."""
    detail: str
    updated_at: str
    """Magento's time of the change that was read, UTC."""


def published_among(database: Database, order_ids: Collection[str]) -> set[str]:
    """Return which of the orders have been published."""
    rows = database.execute_each(_PUBLISHED, ({"order_id": one} for one in order_ids))
    return {order_id for (order_id,) in rows}


def settle(database: Database, published: Mapping[str, str], skipped: Sequence[SkippedOrder]) -> list[SkippedOrder]:
    """Remember what became of a page, in one transaction.

    Parameters
    ----------
    published:
        Publication id by order id; the broker has confirmed them.

    Returns
    -------
    list[SkippedOrder]
        Those skipped orders that were not yet remembered with the same change and reason: what is to be counted.
    """
    now = datetime.now(UTC)
    with database.begin() as transaction:
        transaction.execute_each(
            _PUBLISH,
            ({"order_id": key, "publication": one, "published_at": now} for key, one in published.items()),
        )
        transaction.execute_each(_NOT_SKIPPED, ({"order_id": key} for key in published))
        rows = transaction.execute_each(_SKIP, (_values(one, now) for one in skipped))
    fresh = {order_id for (order_id,) in rows}
    return [one for one in skipped if _cut(one.order_id, "order_id") in fresh]


def skipped_orders(database: Database, limit: int = 1000) -> list[SkippedOrder]:
    """Return the orders that are passed over as things stand, latest change first."""
    return [SkippedOrder(*row) for row in database.execute(_SKIPPED, {"limit": limit})]


def _values(one: SkippedOrder, now: datetime) -> dict[str, str | datetime]:
    texts = {name: _cut(value, name) for name, value in structs.asdict(one).items()}
    return {**texts, "skipped_at": now}


def _cut(value: str, column: str) -> str:
    """Cut to the column and drop NUL, since PostgreSQL refuses both and hostile orders may have them."""
    return value.replace("\0", "")[: LENGTHS[column]]
