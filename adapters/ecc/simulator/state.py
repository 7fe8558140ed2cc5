"""What the simulated ECC has committed: its SQLite tables, number ranges and update requests."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from adapters.ecc.dictionary import STRUCTURES, Field
from adapters.ecc.simulator.config import SimulatorConfig


def _columns(structure: str) -> str:
    return ", ".join(f"{name.lower()} TEXT NOT NULL DEFAULT ''" for name in STRUCTURES[structure])


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS number_ranges (object TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS update_requests (
    id TEXT PRIMARY KEY, work BLOB NOT NULL, locks BLOB NOT NULL, fails INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sales_orders (
    vbeln TEXT PRIMARY KEY, kunnr TEXT NOT NULL, purch_no_c TEXT NOT NULL, purch_no_s TEXT NOT NULL,
    document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sales_orders_c ON sales_orders (purch_no_c);
CREATE INDEX IF NOT EXISTS sales_orders_s ON sales_orders (purch_no_s);
CREATE TABLE IF NOT EXISTS customers (
    kunnr TEXT PRIMARY KEY, name1 TEXT NOT NULL, company_key TEXT NOT NULL, sales_area TEXT NOT NULL,
    origin TEXT NOT NULL, credit_area TEXT NOT NULL, credit_limit TEXT NOT NULL, credit_currency TEXT NOT NULL,
    master BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS customers_company ON customers (company_key);
CREATE TABLE IF NOT EXISTS contacts (
    parnr TEXT PRIMARY KEY, kunnr TEXT NOT NULL, first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contacts_kunnr ON contacts (kunnr);
CREATE TABLE IF NOT EXISTS zorderbus_cust ({_columns("ZORDERBUS_S_CUST")}, PRIMARY KEY (customer_key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS zorderbus_cust_changed ON zorderbus_cust (changed_at, customer_key);
CREATE INDEX IF NOT EXISTS zorderbus_cust_kunnr ON zorderbus_cust (kunnr);
CREATE TABLE IF NOT EXISTS zorderbus_pend ({_columns("ZORDERBUS_S_ROW")}, PRIMARY KEY (order_key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS zorderbus_pend_customer ON zorderbus_pend (customer_key, cleared, added_at, order_key);
CREATE INDEX IF NOT EXISTS zorderbus_pend_free ON zorderbus_pend (customer_key, cleared, leased_until);
CREATE INDEX IF NOT EXISTS zorderbus_pend_lease ON zorderbus_pend (customer_key, cleared, lease_id);
CREATE INDEX IF NOT EXISTS zorderbus_pend_leased ON zorderbus_pend (customer_key, cleared, leased_at);
CREATE INDEX IF NOT EXISTS zorderbus_pend_added ON zorderbus_pend (added_at, order_key);
"""


def open_database(config: SimulatorConfig) -> sqlite3.Connection:
    """Open or create the simulator's database and add the customers it knows from the start.

    A killed process loses nothing that was committed; a power failure may lose the last moments, as befits a simulator.
    """
    database = sqlite3.connect(config.database, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(SCHEMA)
    with transaction(database):
        for customer in config.customers:
            database.execute(
                "INSERT OR IGNORE INTO customers VALUES (?, ?, '', '', 'config', '', '0', '', '{}')",
                (customer.kunnr, customer.name),
            )
            database.executemany(
                "INSERT OR IGNORE INTO contacts VALUES (?, ?, '', '', '')",
                [(parnr, customer.kunnr) for parnr in customer.contacts],
            )
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, all or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


class NumberRanges:
    """Internal numbers, drawn from buffers: a number drawn and not used is lost, and so is a buffer at a restart."""

    def __init__(self, database: sqlite3.Connection, config: SimulatorConfig) -> None:
        self._database = database
        self._size = config.number_buffer
        self._first = {"VBELN": config.first_vbeln, "KUNNR": config.first_kunnr, "PARNR": config.first_parnr}
        self._buffers: dict[str, Iterator[int]] = {}

    def draw(self, number_range: str) -> str:
        """Return the next number of ``VBELN``, ``KUNNR`` or ``PARNR``, ten digits."""
        number = next(self._buffers.get(number_range, iter(())), None)
        if number is None:
            self._buffers[number_range] = self._refill(number_range)
            number = next(self._buffers[number_range])
        return f"{number:010}"

    def _refill(self, number_range: str) -> Iterator[int]:
        row = self._database.execute("SELECT next FROM number_ranges WHERE object = ?", (number_range,)).fetchone()
        start = int(row["next"]) if row else self._first[number_range]
        self._database.execute("INSERT OR REPLACE INTO number_ranges VALUES (?, ?)", (number_range, start + self._size))
        return iter(range(start, start + self._size))


def timestamp(moment: datetime) -> str:
    """Return a time as our tables hold it: ``YYYY-MM-DDTHH:MM:SSZ``, UTC.

    Seconds are all that CHAR 20 takes.
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def columns_of(structure: str) -> tuple[Field, ...]:
    """Return the fields of a structure in the order of its table's columns."""
    return tuple(STRUCTURES[structure].values())
