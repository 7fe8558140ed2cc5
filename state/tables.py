"""The metadata that every table of the database belongs to, and the tables of this package.

An adapter defines its tables in a module of its own on the same `METADATA`, and no adapter reads another's. A change
of any of them needs a migration in `state.migrations`; a test compares the two.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime, Dialect, Double, MetaData, String, Table
from sqlalchemy.types import TypeDecorator

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""Names every constraint, so that a migration can name it on either database."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time; SQLite, which keeps no zone, gets it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone, which would silently mean another moment elsewhere."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Return the time in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


LEASE = Table(
    "lease",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("expires_at", Double, nullable=False, comment="seconds since the epoch"),
)
"""Who may do something alone, and until when."""

WATERMARK = Table(
    "watermark",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("moment", String(64), nullable=False),
    Column("identifier", String(200), nullable=False),
)
"""How far a poller has read."""
