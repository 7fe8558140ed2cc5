"""Watermarks: how far a poller has read, which only ever moves forward."""

from state.database import Database

Mark = tuple[str, str]
"""A moment, in a form whose text sorts as its time, and an identifier that orders what shares the moment."""

_READ = "SELECT moment, identifier FROM watermark WHERE name = :name"
_BEGIN = """
    INSERT INTO watermark (name, moment, identifier) VALUES (:name, :moment, :identifier)
    ON CONFLICT DO NOTHING
    RETURNING name
"""
_MOVE = """
    UPDATE watermark SET moment = :moment, identifier = :identifier
    WHERE name = :name AND moment = :moment_before AND identifier = :identifier_before
    RETURNING name
"""
_FORGET = "DELETE FROM watermark WHERE name = :name"


def read(database: Database, name: str) -> Mark | None:
    """Return the last mark, or ``None`` before the first."""
    rows = database.execute(_READ, {"name": name})
    return (rows[0][0], rows[0][1]) if rows else None


def advance(database: Database, name: str, mark: Mark) -> bool:
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
    values = {"name": name, "moment": mark[0], "identifier": mark[1]}
    while True:
        before = read(database, name)
        if before is not None and _order(mark) <= _order(before):
            return False
        if before is None:
            moved = database.execute(_BEGIN, values)
        else:
            moved = database.execute(_MOVE, {**values, "moment_before": before[0], "identifier_before": before[1]})
        if moved:
            return True
        # Another process moved it in between: compare with what it says now.


def forget(database: Database, name: str) -> None:
    """Remove a watermark: its poller reads from the beginning."""
    database.execute(_FORGET, {"name": name})


def _order(mark: Mark) -> tuple[str, int, str]:
    """Sort key of a mark; an identifier of digits is longer when it is greater, leading zeros aside."""
    moment, identifier = mark
    if identifier.isascii() and identifier.isdigit():
        digits = identifier.lstrip("0")
        return moment, len(digits), digits
    return moment, 0, identifier
