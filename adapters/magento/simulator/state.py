"""The shop's database: SQLite, with the columns that are searched and a JSON document for the rest of each row."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from .clock import Clock

Doc = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sales_order (
    entity_id INTEGER PRIMARY KEY, increment_id TEXT COLLATE NOCASE, store_id INTEGER,
    state TEXT COLLATE NOCASE, status TEXT COLLATE NOCASE, created_at TEXT, updated_at TEXT,
    customer_id INTEGER, customer_email TEXT COLLATE NOCASE, ext_order_id TEXT COLLATE NOCASE,
    doc TEXT NOT NULL, extra TEXT NOT NULL, UNIQUE (increment_id, store_id));
CREATE INDEX IF NOT EXISTS order_updated ON sales_order (updated_at, entity_id);
CREATE INDEX IF NOT EXISTS order_created ON sales_order (created_at, entity_id);
CREATE INDEX IF NOT EXISTS order_status ON sales_order (status, updated_at);
CREATE INDEX IF NOT EXISTS order_customer ON sales_order (customer_id);
CREATE INDEX IF NOT EXISTS order_email ON sales_order (customer_email);
CREATE INDEX IF NOT EXISTS order_external ON sales_order (ext_order_id);
CREATE TABLE IF NOT EXISTS sales_order_item (item_id INTEGER PRIMARY KEY, order_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS item_order ON sales_order_item (order_id);
CREATE TABLE IF NOT EXISTS sales_order_payment (entity_id INTEGER PRIMARY KEY, parent_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS payment_order ON sales_order_payment (parent_id);
CREATE TABLE IF NOT EXISTS sales_order_address (
    entity_id INTEGER PRIMARY KEY, parent_id INTEGER, address_type TEXT, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS address_order ON sales_order_address (parent_id);
CREATE TABLE IF NOT EXISTS sales_order_status_history (
    entity_id INTEGER PRIMARY KEY, parent_id INTEGER, created_at TEXT, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS history_order ON sales_order_status_history (parent_id);
CREATE TABLE IF NOT EXISTS sales_invoice (entity_id INTEGER PRIMARY KEY, order_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS invoice_order ON sales_invoice (order_id);
CREATE TABLE IF NOT EXISTS sales_shipment (entity_id INTEGER PRIMARY KEY, order_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS shipment_order ON sales_shipment (order_id);
CREATE TABLE IF NOT EXISTS sales_creditmemo (entity_id INTEGER PRIMARY KEY, order_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS creditmemo_order ON sales_creditmemo (order_id);
CREATE TABLE IF NOT EXISTS customer (
    id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, website_id INTEGER, created_at TEXT, updated_at TEXT,
    password TEXT, doc TEXT NOT NULL, attributes TEXT NOT NULL, UNIQUE (email, website_id));
CREATE INDEX IF NOT EXISTS customer_updated ON customer (updated_at, id);
CREATE TABLE IF NOT EXISTS customer_address (id INTEGER PRIMARY KEY, customer_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS address_customer ON customer_address (customer_id);
CREATE TABLE IF NOT EXISTS quote (
    id INTEGER PRIMARY KEY, masked_id TEXT UNIQUE, customer_id INTEGER, active INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS quote_customer ON quote (customer_id, active);
"""
ORDER_COLUMNS = (
    "increment_id", "store_id", "state", "status", "created_at", "updated_at", "customer_id", "customer_email",
    "ext_order_id",
)  # fmt: skip
"""Fields of an order that have a column of their own, beside its key."""


class State:
    """One shop's database. Everything in it is synchronous: a statement takes microseconds, and one thread owns it.

    Parameters
    ----------
    path:
        SQLite file, or ``":memory:"``.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self.clock = clock
        self.connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing with this; only a crash of the machine could cost the last moments.
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.executescript(SCHEMA)
        self._sequences = dict(self.connection.execute("SELECT name, value FROM sequences").fetchall())
        self._drawn: set[str] = set()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block does, or undo it; the block must not await."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            self._sequences = dict(self.connection.execute("SELECT name, value FROM sequences").fetchall())
            self._drawn.clear()
            raise
        drawn = [(name, self._sequences[name]) for name in self._drawn]
        self.connection.executemany("INSERT OR REPLACE INTO sequences (name, value) VALUES (?, ?)", drawn)
        self._drawn.clear()
        self.connection.execute("COMMIT")

    def next(self, name: str, at_least: int = 0) -> int:
        """Return the next number of a sequence; call it inside a transaction.

        Parameters
        ----------
        at_least:
            A number that is taken already: nothing is drawn, and the sequence continues behind it.
        """
        last = int(self._sequences.get(name, 0))
        value = max(last, at_least) if at_least else last + 1
        self._sequences[name] = value
        self._drawn.add(name)
        return value

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Return the first row, if any."""
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows."""
        return self.connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> None:
        """Run a statement."""
        self.connection.execute(sql, values)

    def docs(self, table: str, parent: str, parent_id: int, order: str) -> list[Doc]:
        """Return the documents that belong to something.

        Parameters
        ----------
        table, parent, order:
            Names of this schema; never input.
        """
        sql = f"SELECT doc FROM {table} WHERE {parent} = ? ORDER BY {order}"  # noqa: S608 - names of this schema
        return [unpacked(row["doc"]) for row in self.all(sql, parent_id)]

    def put(self, table: str, doc: Doc, columns: Iterable[str], extra: Mapping[str, object] | None = None) -> None:
        """Insert or replace a row whose columns repeat fields of its document.

        Parameters
        ----------
        table, columns:
            Names of this schema; never input.
        extra:
            Columns that are not in the document.
        """
        values = {name: doc.get(name) for name in columns} | dict(extra or {}) | {"doc": packed(doc)}
        marks = ", ".join("?" * len(values))
        sql = f"INSERT OR REPLACE INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - names of this schema
        self.connection.execute(sql, tuple(values.values()))


def packed(doc: object) -> str:
    """Return a document as it is kept."""
    return msgspec.json.encode(doc).decode()


def unpacked(text: str) -> Any:
    """Return a document that was kept."""
    return msgspec.json.decode(text)


def without_nulls(doc: Mapping[str, Any]) -> Doc:
    """Return a document without its NULLs, which Magento leaves out of its answers."""
    return {name: value for name, value in doc.items() if value is not None}
