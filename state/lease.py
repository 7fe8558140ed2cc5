"""Leases: the right to do something alone for a while, across processes and machines."""

import time
from typing import Any

from sqlalchemy import ColumnElement, Double, Engine, cast, delete, func, literal, or_, select

from state.dialect import insert
from state.tables import LEASE


def hold(engine: Engine, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or renew it, in one atomic statement.

    The time is the server's on PostgreSQL, so that machines with different clocks agree, and the machine's on SQLite,
    whose users all share one machine.

    Parameters
    ----------
    name:
        What is leased, e.g. ``"magento-order:4711"``.
    holder:
        Who asks; the same holder may ask again, which renews the lease.
    seconds:
        How long the lease runs from now.

    Returns
    -------
    bool
        Whether the holder has the lease; ``False`` while another's runs.
    """
    now = _now(engine)
    expires_at = now + literal(seconds, Double)
    statement = insert(engine, LEASE).values(name=name, holder=holder, expires_at=expires_at)
    taken = statement.on_conflict_do_update(
        index_elements=[LEASE.c.name],
        set_={"holder": holder, "expires_at": expires_at},
        where=or_(LEASE.c.holder == holder, LEASE.c.expires_at <= now),
    ).returning(LEASE.c.name)
    with engine.begin() as connection:
        return connection.execute(taken).first() is not None


def free(engine: Engine, name: str, holder: str) -> None:
    """Give a lease back; does nothing where the holder has it no more."""
    with engine.begin() as connection:
        connection.execute(delete(LEASE).where(LEASE.c.name == name, LEASE.c.holder == holder))


def holder_of(engine: Engine, name: str) -> str | None:
    """Return who holds a lease that runs, or ``None``."""
    running = select(LEASE.c.holder).where(LEASE.c.name == name, LEASE.c.expires_at > _now(engine))
    with engine.connect() as connection:
        return connection.execute(running).scalar()


def _now(engine: Engine) -> ColumnElement[Any]:
    """Seconds since the epoch, read when the row is: `now()` would be the time the transaction began."""
    if engine.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Double)
    return literal(time.time(), Double)


def free_all(engine: Engine) -> None:
    """Free every lease: for a process that is the only one to use its database, after the one before it died."""
    with engine.begin() as connection:
        connection.execute(delete(LEASE))
