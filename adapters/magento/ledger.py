"""What the order publisher remembers: which orders it has published, and which it has passed over and why."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from sqlalchemy import Engine, delete, select

from adapters.magento.tables import PUBLISHED, SKIPPED
from state.dialect import insert

_CHUNK = 500
"""Ids in one statement; SQLite takes no more than 999 variables in old versions."""


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


def published_among(engine: Engine, order_ids: Collection[str]) -> set[str]:
    """Return which of the orders have been published."""
    ids, found = list(order_ids), set[str]()
    with engine.connect() as connection:
        for start in range(0, len(ids), _CHUNK):
            those = PUBLISHED.c.order_id.in_(ids[start : start + _CHUNK])
            found.update(connection.execute(select(PUBLISHED.c.order_id).where(those)).scalars())
    return found


def settle(engine: Engine, published: Mapping[str, str], skipped: Sequence[SkippedOrder]) -> list[SkippedOrder]:
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
    with engine.begin() as connection:
        known: dict[str, tuple[str, str]] = {}
        ids = [one.order_id for one in skipped]
        for start in range(0, len(ids), _CHUNK):
            those = SKIPPED.c.order_id.in_(ids[start : start + _CHUNK])
            rows = connection.execute(select(SKIPPED.c.order_id, SKIPPED.c.reason, SKIPPED.c.updated_at).where(those))
            known.update((row.order_id, (row.reason, row.updated_at)) for row in rows)
        fresh = [one for one in skipped if known.get(one.order_id) != (one.reason, one.updated_at)]
        if published:
            add = insert(engine, PUBLISHED)
            add = add.on_conflict_do_update(
                index_elements=[PUBLISHED.c.order_id],
                set_={"publication": add.excluded.publication, "published_at": add.excluded.published_at},
            )
            values = [{"order_id": k, "publication": v, "published_at": now} for k, v in published.items()]
            connection.execute(add, values)
            done = list(published)
            for start in range(0, len(done), _CHUNK):
                connection.execute(delete(SKIPPED).where(SKIPPED.c.order_id.in_(done[start : start + _CHUNK])))
        if fresh:
            add = insert(engine, SKIPPED)
            columns = ("increment_id", "store", "reason", "detail", "updated_at", "skipped_at")
            add = add.on_conflict_do_update(
                index_elements=[SKIPPED.c.order_id], set_={name: add.excluded[name] for name in columns}
            )
            connection.execute(add, [_values(one, now) for one in fresh])
    return fresh


def skipped_orders(engine: Engine, limit: int = 1000) -> list[SkippedOrder]:
    """Return the orders that are passed over as things stand, latest change first."""
    names = SkippedOrder.__struct_fields__
    latest = select(*(SKIPPED.c[name] for name in names)).order_by(SKIPPED.c.updated_at.desc()).limit(limit)
    with engine.connect() as connection:
        return [SkippedOrder(*row) for row in connection.execute(latest)]


def _values(one: SkippedOrder, now: datetime) -> dict[str, str | datetime]:
    """Cut to the columns and drop NUL, since PostgreSQL refuses both and hostile orders may have them."""
    lengths = {column.name: getattr(column.type, "length", None) for column in SKIPPED.columns}
    texts = {name: getattr(one, name).replace("\0", "")[: lengths[name]] for name in one.__struct_fields__}
    return {**texts, "skipped_at": now}
