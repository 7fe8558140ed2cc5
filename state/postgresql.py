"""PostgreSQL, by way of psycopg."""

import functools
import re
import select
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, LiteralString
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from schemas.failures import Failure, Outage, Permanent, Transient
from state.database import Row, Value

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "application_name": "orderbus",
        "connect_timeout": 5,  # seconds
        "tcp_user_timeout": 10_000,  # milliseconds that what was sent may stay unacknowledged by the server's machine
    }
)
"""libpq's options where the URL does not say otherwise."""
ASK_AFTER = 30.0
"""Seconds after which an idle connection is asked whether it still works; firewalls drop them without a word."""
_LOST_AGAINST_ANOTHER = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialisation failure and of a deadlock."""
_URL = re.compile(r"\w+(?:\+psycopg)?://(?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?(?P<rest>.*)", re.DOTALL)
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")

Connection = psycopg.Connection[Row]


class PostgreSql:
    """A server's database; see `state.database.Driver`.

    Parameters
    ----------
    options:
        What libpq connects with, by its own names.
    shown:
        The database's URL without its password.
    """

    name = "postgresql"

    def __init__(self, options: Mapping[str, Any], shown: str) -> None:
        self._options = {**DEFAULTS, **options}
        self.shown = shown

    @classmethod
    def of(cls, url: str) -> "PostgreSql":
        """Return the database that a URL names.

        Raises
        ------
        Permanent
            libpq does not take the URL, e.g. because of an unknown option.
        """
        try:
            return cls(conninfo_to_dict(for_libpq(url)), without_password(url))
        except psycopg.ProgrammingError:
            # What libpq says of it may quote the password.
            raise Permanent(
                "The database URL is not one that PostgreSQL's library takes.",
                "Use postgresql://user:password@host/name, options behind it only by the names of libpq, and write "
                "special characters of the password as %XX.",
            ) from None

    def connect(self) -> Connection:
        """Return a new connection, on which each statement is a transaction of its own."""
        return psycopg.connect(make_conninfo(**self._options), autocommit=True)

    def alive(self, raw: Connection, idle_seconds: float) -> bool:
        """Tell whether a connection that nobody used for a while can be used again.

        A server that ends one says so on it: no question is needed while there is nothing to read.
        """
        if raw.closed:
            return False
        if idle_seconds < ASK_AFTER and not _spoke(raw):
            return True
        try:
            raw.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def transaction(self, raw: Connection) -> AbstractContextManager[Any]:
        """Return what makes the statements within it one transaction."""
        return raw.transaction()

    def execute(self, raw: Connection, statement: LiteralString, values: Mapping[str, Value]) -> list[Row]:
        """Run a statement and return its rows."""
        return _rows(raw.execute(_named(statement), values))

    def execute_each(self, raw: Connection, statement: LiteralString, many: list[Mapping[str, Value]]) -> list[Row]:
        """Run a statement once for each of some values, all on their way at once, and return the rows of all."""
        with raw.cursor() as cursor:
            cursor.executemany(_named(statement), many, returning=True)
            found = _rows(cursor)
            while cursor.nextset():
                found += _rows(cursor)
            return found

    def has_table(self, raw: Connection, name: str) -> bool:
        """Tell whether there is a table of this name."""
        found = raw.execute("SELECT to_regclass(quote_ident(%(name)s)) IS NOT NULL", {"name": name}).fetchone()
        return found == (True,)

    def failure(self, error: BaseException) -> Failure | None:
        """Return what an exception of the driver means for the bus, or ``None`` where it is a defect."""
        if getattr(error, "sqlstate", None) in _LOST_AGAINST_ANOTHER:
            return Transient(f"A statement lost against another on {self.shown}.", "It is tried again by itself.")
        if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return None
        said = " ".join(str(error).split())
        if password := self._options.get("password"):
            said = said.replace(str(password), "***")
        return Outage(
            f"The database {self.shown} does not answer: {said[:300]}.",
            "Check that the server runs, and the host, port, name, user and password in the database URL.",
        )


def _spoke(raw: Connection) -> bool:
    """Tell whether there is something to read on a connection, be it its end."""
    readable = select.poll()
    readable.register(raw.fileno(), select.POLLIN)
    return bool(readable.poll(0))


def without_password(url: str) -> str:
    """Return a database URL as it may be printed.

    >>> without_password("postgresql+psycopg://bus:secret@db/orderbus?sslmode=require&password=secret")
    'postgresql://bus:***@db/orderbus?sslmode=require&password=***'
    """
    # Up to the last @ that there is: a password may hold one that should have been written as %40.
    masked = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", masked).replace("+psycopg://", "://")


def for_libpq(url: str) -> str:
    """Return the URL as libpq takes it, which wants more characters of a password written as %XX than people do."""
    match = _URL.fullmatch(url)
    if match is None or match["user"] is None:
        return f"postgresql://{url.partition('://')[2]}"
    user, password = (quote(unquote(match[part] or ""), safe="") for part in ("user", "password"))
    return f"postgresql://{user}{':' if password else ''}{password}@{match['rest']}"


@functools.cache
def _named(statement: LiteralString) -> str:
    """Return a statement with its parameters as psycopg names them; called with the program's constants alone.

    >>> _named("SELECT holder::text FROM lease WHERE name = :name AND holder LIKE '%:8'")
    "SELECT holder::text FROM lease WHERE name = %(name)s AND holder LIKE '%%:8'"
    """
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


def _rows(cursor: psycopg.Cursor[Row]) -> list[Row]:
    """Return the rows of a result; PostgreSQL gives times in the zone of the session."""
    if cursor.description is None:
        return []
    return [
        tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)
        for row in cursor.fetchall()
    ]
