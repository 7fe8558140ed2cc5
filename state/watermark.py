"""Watermarks: how far a poller has read, which only ever moves forward."""

from sqlalchemy import Engine, Executable, delete, select, update

from state.dialect import insert
from state.tables import WATERMARK

Mark = tuple[str, str]
"""A moment, in a form whose text sorts as its time, and an identifier that orders what shares the moment."""


def read(engine: Engine, name: str) -> Mark | None:
    """Return the last mark, or ``None`` before the first."""
    marked = select(WATERMARK.c.moment, WATERMARK.c.identifier).where(WATERMARK.c.name == name)
    with engine.connect() as connection:
        row = connection.execute(marked).first()
    return None if row is None else (row.moment, row.identifier)


def advance(engine: Engine, name: str, mark: Mark) -> bool:
    """Move a watermark forward, atomically.

    Identifiers of digits compare as numbers, others as text by code point; the comparison is made here and not in SQL,
    where it would follow the collation of the database.

    Parameters
    ----------
    name:
        Whose mark, e.g. ``"magento-orders"``.
    mark:
        Where it shall stand.

    Returns
    -------
    bool
        Whether it moved; ``False`` where it stands there already or further on.
    """
    moment, identifier = mark
    while True:
        before = read(engine, name)
        if before is not None and _order(mark) <= _order(before):
            return False
        change: Executable
        if before is None:
            first = insert(engine, WATERMARK).values(name=name, moment=moment, identifier=identifier)
            change = first.on_conflict_do_nothing().returning(WATERMARK.c.name)
        else:
            unmoved = (WATERMARK.c.moment == before[0]) & (WATERMARK.c.identifier == before[1])
            moved = update(WATERMARK).where(WATERMARK.c.name == name, unmoved)
            change = moved.values(moment=moment, identifier=identifier).returning(WATERMARK.c.name)
        with engine.begin() as connection:
            if connection.execute(change).first() is not None:
                return True
        # Another process moved it in between: compare with what it says now.


def forget(engine: Engine, name: str) -> None:
    """Remove a watermark: its poller reads from the beginning."""
    with engine.begin() as connection:
        connection.execute(delete(WATERMARK).where(WATERMARK.c.name == name))


def _order(mark: Mark) -> tuple[str, int, str]:
    """Sort key of a mark; an identifier of digits is longer when it is greater, leading zeros aside."""
    moment, identifier = mark
    if identifier.isascii() and identifier.isdigit():
        digits = identifier.lstrip("0")
        return moment, len(digits), digits
    return moment, 0, identifier
