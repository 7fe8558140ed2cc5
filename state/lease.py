"""Leases: the right to do something alone for a while, across processes and machines."""

from state.database import Database

# The time is read when the row is: `now()` would be the time at which the transaction began.
_HOLD = """
    INSERT INTO lease (name, holder, expires_at)
    VALUES (:name, :holder, date_part('epoch', clock_timestamp()) + CAST(:seconds AS DOUBLE PRECISION))
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder,
        expires_at = date_part('epoch', clock_timestamp()) + CAST(:seconds AS DOUBLE PRECISION)
    WHERE lease.holder = excluded.holder OR lease.expires_at <= date_part('epoch', clock_timestamp())
    RETURNING name
"""
_FREE = "DELETE FROM lease WHERE name = :name AND holder = :holder"
_HOLDER = "SELECT holder FROM lease WHERE name = :name AND expires_at > date_part('epoch', clock_timestamp())"


def hold(database: Database, name: str, holder: str, seconds: float) -> bool:
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
    return bool(database.execute(_HOLD, {"name": name, "holder": holder, "seconds": seconds}))


def free(database: Database, name: str, holder: str) -> None:
    """Give a lease back; does nothing where the holder has it no more."""
    database.execute(_FREE, {"name": name, "holder": holder})


def holder_of(database: Database, name: str) -> str | None:
    """Return who holds a lease that runs, or ``None``."""
    rows = database.execute(_HOLDER, {"name": name})
    return str(rows[0][0]) if rows else None


def free_all(database: Database) -> None:
    """Free every lease: for a process that is the only one to use its database, after the one before it died."""
    database.execute("DELETE FROM lease")
