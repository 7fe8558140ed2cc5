"""What SQLite and PostgreSQL spell alike and SQLAlchemy does not: ``INSERT ... ON CONFLICT``."""

from sqlalchemy import Engine, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(engine: Engine, table: Table) -> sqlite.Insert:
    """Return an insert that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing`` on either database.

    >>> from sqlalchemy import create_engine
    >>> from state.tables import LEASE
    >>> str(insert(create_engine("sqlite://"), LEASE).values(name="a").on_conflict_do_nothing())
    'INSERT INTO lease (name) VALUES (?) ON CONFLICT DO NOTHING'
    """
    if engine.dialect.name == "postgresql":
        # The two classes are spelt alike as far as they are used here.
        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)
