"""What SQLite and PostgreSQL spell alike and SQLAlchemy does not: ``INSERT ... ON CONFLICT``."""

from typing import TYPE_CHECKING

from sqlalchemy import Engine, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert


def insert(engine: Engine, table: Table) -> "Insert":
    """Return an insert that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing`` on either database.

    >>> from sqlalchemy import create_engine
    >>> from state.tables import LEASE
    >>> str(insert(create_engine("sqlite://"), LEASE).values(name="a").on_conflict_do_nothing())
    'INSERT INTO lease (name) VALUES (?) ON CONFLICT DO NOTHING'
    """
    # The engine has loaded its own dialect; the other one would cost each process 3 MB.
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        # The two classes are spelt alike as far as they are used here.
        return postgresql.insert(table)  # type: ignore[return-value]
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table)
