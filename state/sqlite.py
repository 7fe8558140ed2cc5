"""SQLite: a file that the processes of one machine share."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

from schemas.failures import Failure, Outage, Permanent, Transient
from state.database import Row, Value

BUSY_TIMEOUT = 10_000
"""Milliseconds a connection waits for another process's write."""
_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")


class Sqlite:
    """The file of a database; see `state.database.Driver`."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = f"sqlite:///{path}"

    @classmethod
    def of(cls, url: str) -> "Sqlite":
        """Return the file that a URL names, its directory made.

        Raises
        ------
        Permanent
            The URL names no file.
        Outage
            Its directory cannot be made.
        """
        _, slashes, name = url.partition(":///")
        if not slashes or name in {"", ":memory:"} or "?" in name:
            raise Permanent(
                "The database URL names no SQLite file.",
                "Use sqlite:///path/to/file.db, without options behind it.",
            )
        path = Path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Outage(
                f"The directory of the database file {path} cannot be made ({error.strerror}).",
                "Name a file in a directory that this user may write.",
            ) from None
        return cls(path)

    def connect(self) -> sqlite3.Connection:
        """Return a new connection, on which each statement is a transaction of its own."""
        raw = sqlite3.connect(
            self.path,
            timeout=BUSY_TIMEOUT / 1000,
            isolation_level=None,
            check_same_thread=False,  # one thread at a time: the pool gives it to nobody else
            detect_types=sqlite3.PARSE_DECLTYPES,
        )
        try:
            for pragma in _PRAGMAS:
                raw.execute(pragma).close()
            # PostgreSQL's words for its clock; the machine's is as good where all users share one machine.
            raw.create_function("clock_timestamp", 0, time.time)
            raw.create_function("date_part", 2, lambda _field, moment: moment)
        except BaseException:
            raw.close()
            raise
        return raw

    def alive(self, raw: sqlite3.Connection, idle_seconds: float) -> bool:  # noqa: ARG002 - a file does not hang up
        """Tell that a connection to a file can always be used again."""
        return True

    @contextmanager
    def transaction(self, raw: sqlite3.Connection) -> Iterator[None]:
        """Make the statements of a block one transaction; the right to write is taken first, or waited for."""
        raw.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            raw.rollback()
            raise
        raw.commit()

    def execute(self, raw: sqlite3.Connection, statement: LiteralString, values: Mapping[str, Value]) -> list[Row]:
        """Run a statement and return its rows."""
        return raw.execute(statement, _as_text(values)).fetchall()

    def execute_each(
        self, raw: sqlite3.Connection, statement: LiteralString, many: list[Mapping[str, Value]]
    ) -> list[Row]:
        """Run a statement once for each of some values and return the rows of all."""
        return [row for values in many for row in self.execute(raw, statement, values)]

    def has_table(self, raw: sqlite3.Connection, name: str) -> bool:
        """Tell whether there is a table of this name."""
        found = raw.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name", {"name": name})
        return found.fetchone() is not None

    def failure(self, error: BaseException) -> Failure | None:
        """Return what an exception of the driver means for the bus, or ``None`` where it is a defect."""
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.IntegrityError):
            return None
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return Transient(
                f"The database file {self.path} is busy with another process's write.",
                "It is tried again; if it stays, look for a process that holds it, or use PostgreSQL.",
            )
        if code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH}:
            return None
        return Outage(
            f"The database file {self.path} cannot be used ({error}).",
            "Check that it is a SQLite file, that this user may write it and its directory, and that there is room.",
        )


def _as_text(values: Mapping[str, Value]) -> Mapping[str, Value]:
    """SQLite keeps no times: they are text without a zone that sorts as the times in UTC do."""
    return {
        name: value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _time(stored: bytes) -> datetime:
    return datetime.fromisoformat(stored.decode()).replace(tzinfo=UTC)


# The declared type of the columns, see the migrations; heard by connections that ask for `PARSE_DECLTYPES` alone.
sqlite3.register_converter("DATETIME", _time)
