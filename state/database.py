"""The database that a URL names: SQLite in a file, or PostgreSQL, and what its failures mean."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError

from schemas.failures import Failure, Outage, Permanent, Transient

BUSY_TIMEOUT = 10_000
"""Milliseconds a SQLite connection waits for another process's write."""
CONNECT_TIMEOUT = 5
"""Seconds to wait for a PostgreSQL server."""
POOL_SIZE = 2
"""Connections that a process keeps; every statement here is short, and servers have few to give."""
MOST_CONNECTIONS = 32
"""Connections that a process may have for a moment: the most threads that `asyncio.to_thread` uses."""
HEAD = "0001"
"""The newest migration; kept here so that services need not import Alembic to check it."""


def open_database(url: str) -> Engine:
    """Return an engine that has been connected once, with failures translated for the bus.

    Whatever is executed through it raises `schemas.failures.Outage` when the database is away and
    `schemas.failures.Transient` when a statement lost against another, so that handlers need not know.

    Parameters
    ----------
    url:
        ``sqlite:///path/to/file.db`` (its directory is made if missing) or ``postgresql://user:password@host/name``.

    Raises
    ------
    Permanent
        The URL is none of these.
    Outage
        The database does not answer, or refuses the user.
    """
    target = _parsed(url)
    sqlite = target.get_backend_name() == "sqlite"
    engine = _sqlite(target) if sqlite else _postgresql(target)

    def translate(context: ExceptionContext) -> None:
        # The ping that finds a dead pooled connection must fail as it is, so that the pool opens another.
        if context.is_pre_ping:
            return
        failure = _sqlite_failure(context, target) if sqlite else _postgresql_failure(context, target)
        if failure is not None:
            raise failure from None

    event.listen(engine, "handle_error", translate)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except BaseException:
        engine.dispose()
        raise
    return engine


def revision(engine: Engine) -> str | None:
    """Return the migration that the database stands at, or ``None`` when it has seen none."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def require_current(engine: Engine) -> None:
    """Check that the database has the tables this version needs.

    Raises
    ------
    Permanent
        A migration is missing, or the database is newer than this version.
    """
    found = revision(engine)
    if found != HEAD:
        raise Permanent(
            f"The database {shown(engine.url)} stands at migration {found or 'none'}, this version needs {HEAD}.",
            "Run `orderbus database migrate` with the newest version of orderbus that uses it.",
        )


def shown(url: str | URL) -> str:
    """Return a database URL as it may be printed, without its password.

    >>> shown("postgresql://bus:secret@db/orderbus")
    'postgresql://bus:***@db/orderbus'
    """
    return make_url(url).render_as_string(hide_password=True).replace("+psycopg://", "://")


def _parsed(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError:
        target = None
    name = target.drivername if target is not None else ""
    if target is not None and name in {"postgres", "postgresql", "postgresql+psycopg"}:
        return target.set(drivername="postgresql+psycopg")
    if target is not None and name in {"sqlite", "sqlite+pysqlite"} and target.database not in {None, "", ":memory:"}:
        return target
    raise Permanent(
        "The database URL names neither a SQLite file nor a PostgreSQL database.",
        "Use sqlite:///path/to/file.db or postgresql://user:password@host/name.",
    )


def _sqlite(target: URL) -> Engine:
    path = Path(target.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Outage(
            f"The directory of the database file {path} cannot be made ({error.strerror}).",
            "Name a file in a directory that this user may write.",
        ) from None
    engine = create_engine(target, connect_args={"timeout": BUSY_TIMEOUT / 1000})

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", prepare)
    return engine


def _postgresql(target: URL) -> Engine:
    return create_engine(
        target,
        pool_size=POOL_SIZE,
        max_overflow=MOST_CONNECTIONS - POOL_SIZE,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "application_name": "orderbus"},
    )


def _sqlite_failure(context: ExceptionContext, target: URL) -> Failure | None:
    error = context.original_exception
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.IntegrityError):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Transient(
            f"The database file {target.database} is busy with another process's write.",
            "It is tried again; if it stays, look for a process that holds it, or use PostgreSQL.",
        )
    if code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH}:
        return None
    return Outage(
        f"The database file {target.database} cannot be used ({error}).",
        "Check that it is a SQLite file, that this user may write it and its directory, and that the disk has room.",
    )


_LOST_AGAINST_ANOTHER = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialisation failure and of a deadlock."""


def _postgresql_failure(context: ExceptionContext, target: URL) -> Failure | None:
    error = context.original_exception
    if getattr(error, "sqlstate", None) in _LOST_AGAINST_ANOTHER:
        return Transient(f"A statement lost against another on {shown(target)}.", "It is tried again by itself.")
    if not isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        return None
    said = " ".join(str(error).split())
    if target.password:
        said = said.replace(str(target.password), "***")
    return Outage(
        f"The database {shown(target)} does not answer: {said[:300]}.",
        "Check that the server runs, and the host, port, name, user and password in the database URL.",
    )
