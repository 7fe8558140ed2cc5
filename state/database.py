"""The bus's own database: SQLite in a file, or PostgreSQL, asked in plain SQL through their own drivers.

Both are asked in the same words. A statement names its parameters (``:name``) and spells alike on either database what
is spelt alike: ``INSERT ... ON CONFLICT ... RETURNING``, and the server's clock as
``date_part('epoch', clock_timestamp())``. Times are aware, and UTC when they come back.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString, Protocol

from schemas.failures import Failure, Permanent

POOL_SIZE = 2
"""Connections that a process keeps; every statement here is short, and servers have few to give."""
MOST_CONNECTIONS = 32
"""Connections that a process may have for a moment: the most threads that `asyncio.to_thread` uses."""
HEAD = "0001"
"""The newest migration; kept here so that services need not import Alembic to check it."""

Value = str | int | float | bool | datetime | None
Row = tuple[Any, ...]


class Driver(Protocol):
    """What differs between the two databases."""

    name: str
    """``sqlite`` or ``postgresql``."""
    shown: str
    """The database's URL without its password."""

    def connect(self) -> Any:
        """Return a new connection, on which each statement is a transaction of its own."""

    def alive(self, raw: Any, idle_seconds: float) -> bool:
        """Tell whether a connection that nobody used for a while can be used again."""

    def transaction(self, raw: Any) -> AbstractContextManager[Any]:
        """Return what makes the statements within it one transaction."""

    def execute(self, raw: Any, statement: LiteralString, values: Mapping[str, Value]) -> list[Row]:
        """Run a statement and return its rows."""

    def execute_each(self, raw: Any, statement: LiteralString, many: list[Mapping[str, Value]]) -> list[Row]:
        """Run a statement once for each of some values and return the rows of all."""

    def has_table(self, raw: Any, name: str) -> bool:
        """Tell whether there is a table of this name."""

    def failure(self, error: BaseException) -> Failure | None:
        """Return what an exception of the driver means for the bus, or ``None`` where it is a defect."""


class Transaction:
    """Statements that are kept all together or not at all; `Database.begin` makes them."""

    def __init__(self, driver: Driver, raw: Any) -> None:
        self._driver = driver
        self._raw = raw

    def execute(self, statement: LiteralString, values: Mapping[str, Value] | None = None) -> list[Row]:
        """Run a statement and return its rows; see `Database.execute`."""
        return self._driver.execute(self._raw, statement, _bound(values or {}))

    def execute_each(self, statement: LiteralString, many: Iterable[Mapping[str, Value]]) -> list[Row]:
        """Run a statement once for each of some values and return the rows of all of them, in order."""
        bound = [_bound(values) for values in many]
        return self._driver.execute_each(self._raw, statement, bound) if bound else []


class Database:
    """A database, and the few connections to it that are kept; for any number of threads.

    Whatever is executed raises `schemas.failures.Outage` when the database is away and `schemas.failures.Transient`
    when a statement lost against another, so that handlers need not know.

    Parameters
    ----------
    driver:
        What connects to it.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._idle: list[tuple[Any, float]] = []
        """Connections with the moment since when they are idle; the last one given back is the first to be taken."""
        self._kept = POOL_SIZE
        self._lock = threading.Lock()
        self._permits = threading.Semaphore(MOST_CONNECTIONS)

    @property
    def shown(self) -> str:
        """The database's URL as it may be printed, without its password."""
        return self.driver.shown

    def execute(self, statement: LiteralString, values: Mapping[str, Value] | None = None) -> list[Row]:
        """Run one statement as a transaction of its own, and return its rows.

        Parameters
        ----------
        statement:
            SQL that both databases take, each value a parameter: ``:name``.
        values:
            The parameters.

        Raises
        ------
        Failure
            The database is away, or the statement lost against another.
        """
        with self._connection() as raw:
            return Transaction(self.driver, raw).execute(statement, values)

    def execute_each(self, statement: LiteralString, many: Iterable[Mapping[str, Value]]) -> list[Row]:
        """Run a statement that only reads once for each of some values, and return the rows of all of them, in order.

        Raises
        ------
        Failure
            The database is away.
        """
        with self._connection() as raw:
            return Transaction(self.driver, raw).execute_each(statement, many)

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Run the statements of a block as one transaction, which an exception undoes.

        Raises
        ------
        Failure
            The database is away, or the transaction lost against another.
        """
        with self._connection() as raw, self.driver.transaction(raw):
            yield Transaction(self.driver, raw)

    def has_table(self, name: str) -> bool:
        """Tell whether there is a table of this name."""
        with self._connection() as raw:
            return self.driver.has_table(raw, name)

    def close(self) -> None:
        """Close the connections, those in use as soon as they are given back."""
        with self._lock:
            self._kept, closing, self._idle = 0, self._idle, []
        for raw, _ in closing:
            raw.close()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._permits, self.translated():
            raw = self._taken() or self.driver.connect()
            try:
                yield raw
            except BaseException:
                # Whatever state it is in, nobody needs to find out.
                raw.close()
                raise
            self._give_back(raw)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what a driver raises within the block as the failure that it means."""
        try:
            yield
        except Exception as error:
            failure = self.driver.failure(error)
            if failure is None:
                raise
            raise failure from None

    def _taken(self) -> Any:
        """Take a connection that can be used, or none; those that the server ended in the meantime are forgotten."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                raw, since = self._idle.pop()
            if self.driver.alive(raw, time.monotonic() - since):
                return raw
            raw.close()

    def _give_back(self, raw: Any) -> None:
        with self._lock:
            if len(self._idle) < self._kept:
                self._idle.append((raw, time.monotonic()))
                return
        raw.close()


def open_database(url: str) -> Database:
    """Return the database that a URL names, once it has answered.

    Parameters
    ----------
    url:
        ``sqlite:///path/to/file.db`` (its directory is made if missing) or ``postgresql://user:password@host/name``,
        behind which libpq's options may stand: ``?sslmode=verify-full&sslrootcert=FILE``.

    Raises
    ------
    Permanent
        The URL is none of these.
    Outage
        The database does not answer, or refuses the user.
    """
    database = Database(_driver(url))
    database.execute("SELECT 1")
    return database


def revision(database: Database) -> str | None:
    """Return the migration that the database stands at, or ``None`` when it has seen none."""
    if not database.has_table("alembic_version"):
        return None
    rows = database.execute("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def require_current(database: Database) -> None:
    """Check that the database has the tables this version needs.

    Raises
    ------
    Permanent
        A migration is missing, or the database is newer than this version.
    """
    found = revision(database)
    if found != HEAD:
        raise Permanent(
            f"The database {database.shown} stands at migration {found or 'none'}, this version needs {HEAD}.",
            "Run `orderbus database migrate` with the newest version of orderbus that uses it.",
        )


def _driver(url: str) -> Driver:
    # Each is imported by those who use it: psycopg is 9 MB of memory.
    kind = url.partition("://")[0]
    if kind in {"sqlite", "sqlite+pysqlite"}:
        from state.sqlite import Sqlite  # noqa: PLC0415

        return Sqlite.of(url)
    if kind in {"postgres", "postgresql", "postgresql+psycopg"}:
        from state.postgresql import PostgreSql  # noqa: PLC0415

        return PostgreSql.of(url)
    raise Permanent(
        "The database URL names neither a SQLite file nor a PostgreSQL database.",
        "Use sqlite:///path/to/file.db or postgresql://user:password@host/name.",
    )


def _bound(values: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the parameters with every time in UTC; one without a zone would mean another moment elsewhere."""
    bound = dict(values)
    for name, value in values.items():
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError("A time without a zone cannot be stored.")
            bound[name] = value.astimezone(UTC)
    return bound
