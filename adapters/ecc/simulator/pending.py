"""The table of held orders, ZORDERBUS_PEND, and its three function modules.

Each is one unit of work: what it writes is there when it returns.
"""

import re
from datetime import timedelta
from typing import Any

from adapters.ecc.rfc import AbapApplicationError
from adapters.ecc.simulator import sales_orders, update
from adapters.ecc.simulator.documents import Row
from adapters.ecc.simulator.locks import ForeignLockError
from adapters.ecc.simulator.state import columns_of, timestamp, transaction
from adapters.ecc.simulator.system import RfcSession, System

PENDING_LOCK = "EZORDERBUS_PEND"
REASONS = frozenset({"SYNCED", "CANCELLED", "DELETED"})
MAX_PAGE = 1000
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_FIELDS = tuple(field.name for field in columns_of("ZORDERBUS_S_ROW"))
_ADDED = tuple(field.name for field in columns_of("ZORDERBUS_S_PEND"))


def row_of(system: System, order_key: str) -> Row | None:
    """Return an order's row (ZORDERBUS_S_ROW), if there is one."""
    found = system.database.execute("SELECT * FROM zorderbus_pend WHERE order_key = ?", (order_key,)).fetchone()
    return as_row(found) if found else None


def as_row(record: Any) -> Row:
    """Return a record of the table as a structure's row."""
    return dict(zip(_FIELDS, record, strict=True))


def lock_row(system: System, session: RfcSession, values: Row) -> None:
    """Lock the row that a call is about.

    Raises
    ------
    AbapApplicationError
        ``FOREIGN_LOCK``.
    """
    key = values["IS_PENDING"]["ORDER_KEY"] if "IS_PENDING" in values else values["IV_ORDER_KEY"]
    try:
        system.locks.enqueue(f"{PENDING_LOCK}:{key}", session.id, 1)
    except ForeignLockError as error:
        raise AbapApplicationError(f"the row is locked by {error.holder.owner}", "FOREIGN_LOCK") from error


async def add(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_PENDING_ADD."""
    row = values["IS_PENDING"]
    try:
        if not row["ORDER_KEY"] or not row["CUSTOMER_KEY"] or not row["MAGENTO_ORDER_ID"]:
            raise AbapApplicationError("order key, customer key or order id is empty", "INVALID_ROW")
        if row["PLACED_AT"] and not TIME.fullmatch(row["PLACED_AT"]):
            raise AbapApplicationError("PLACED_AT is no time in UTC", "INVALID_ROW")
        columns = ", ".join(name.lower() for name in (*_ADDED, "ADDED_AT"))
        added = system.database.execute(
            f"INSERT OR IGNORE INTO zorderbus_pend ({columns}) VALUES ({', '.join('?' * (len(_ADDED) + 1))})",  # noqa: S608
            (*(row[name] for name in _ADDED), system.now()),
        ).rowcount
        update.commit_work(system, session, function="Z_ORDERBUS_PENDING_ADD")
    finally:
        system.locks.dequeue(f"{PENDING_LOCK}:{row['ORDER_KEY']}", session.id)
    return {"EV_EXISTED": "" if added else "X", "ES_ROW": row_of(system, row["ORDER_KEY"])}


async def get(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_PENDING_GET."""
    peek = bool(values["IV_PEEK"])
    if not 1 <= values["IV_MAX_ROWS"] <= MAX_PAGE:
        raise AbapApplicationError(f"IV_MAX_ROWS is not between 1 and {MAX_PAGE}", "INVALID_ARGUMENT")
    if values["IV_LEASED_BEFORE"] and not TIME.fullmatch(values["IV_LEASED_BEFORE"]):
        raise AbapApplicationError("IV_LEASED_BEFORE is no time in UTC", "INVALID_ARGUMENT")
    if not peek and not (values["IV_CUSTOMER_KEY"] and values["IV_LEASE_ID"] and values["IV_LEASE_SECONDS"] > 0):
        raise AbapApplicationError("a lease needs a customer key, an id and a duration", "INVALID_ARGUMENT")
    with transaction(system.database):
        page = _page(system, values)
        rows, more = page[: values["IV_MAX_ROWS"]], len(page) > values["IV_MAX_ROWS"]
        if not peek:
            _lease(system, rows, values)
    if not peek:
        update.commit_work(system, session, function="Z_ORDERBUS_PENDING_GET")
    return {"EV_MORE": "X" if more else "", "ET_ROWS": rows}


_OPEN_ROWS = "SELECT order_key FROM zorderbus_pend WHERE customer_key = ? AND cleared = ''"
_FREE_ROWS = (
    f"{_OPEN_ROWS} AND leased_until <= ? UNION {_OPEN_ROWS} AND lease_id = ? UNION {_OPEN_ROWS} AND leased_at < ?"
)
"""Rows that no other lease holds, each part by an index of its own, so that leased rows cost nothing: every order of a
customer asks for all of them. A row without a lease has an empty LEASED_UNTIL, which precedes every time."""


def _page(system: System, values: Row) -> list[Row]:
    """Return one row more than asked for, by keyset: no page costs more for standing further behind."""
    source, conditions, arguments = "zorderbus_pend", ["1"], []
    if not values["IV_PEEK"]:
        source = f"({_FREE_ROWS}) CROSS JOIN zorderbus_pend USING (order_key)"
        # An empty IV_LEASED_BEFORE precedes every time, so it ends no lease.
        for free in (system.now(), values["IV_LEASE_ID"], values["IV_LEASED_BEFORE"]):
            arguments += [values["IV_CUSTOMER_KEY"], free]
    elif values["IV_CUSTOMER_KEY"]:
        conditions.append("customer_key = ? AND cleared = ''")
        arguments.append(values["IV_CUSTOMER_KEY"])
    elif values["IV_ONLY_OPEN"]:
        conditions.append("cleared = ''")
    if values["IV_AFTER"]:
        last = row_of(system, values["IV_AFTER"])
        if last is None:
            raise AbapApplicationError("IV_AFTER names no row", "INVALID_ARGUMENT")
        conditions.append("(added_at, order_key) > (?, ?)")
        arguments += [last["ADDED_AT"], last["ORDER_KEY"]]
    found = system.database.execute(
        f"SELECT zorderbus_pend.* FROM {source} WHERE {' AND '.join(conditions)} ORDER BY added_at, order_key LIMIT ?",  # noqa: S608
        (*arguments, values["IV_MAX_ROWS"] + 1),
    )
    return [as_row(record) for record in found]


def _lease(system: System, rows: list[Row], values: Row) -> None:
    now = system.clock()
    lease = {
        "LEASE_ID": values["IV_LEASE_ID"],
        "LEASED_AT": timestamp(now),
        "LEASED_UNTIL": timestamp(now + timedelta(seconds=values["IV_LEASE_SECONDS"])),
    }
    for row in rows:
        row.update(lease)
    system.database.executemany(
        "UPDATE zorderbus_pend SET lease_id = ?, leased_at = ?, leased_until = ? WHERE order_key = ?",
        [(*lease.values(), row["ORDER_KEY"]) for row in rows],
    )


async def clear(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_PENDING_CLEAR."""
    key, reason, vbeln = values["IV_ORDER_KEY"], values["IV_REASON"], values["IV_VBELN"]
    try:
        if not key or reason not in REASONS:
            raise AbapApplicationError("the order key is empty or the reason is unknown", "INVALID_ARGUMENT")
        if reason == "SYNCED" and not sales_orders.exists(system, vbeln):
            raise AbapApplicationError(f"sales order {vbeln} does not exist", "INVALID_ARGUMENT")
        changed = system.database.execute(
            "UPDATE zorderbus_pend SET cleared = 'X', reason = ?, vbeln = ?, cleared_at = ?"
            " WHERE order_key = ? AND cleared = ''",
            (reason, vbeln if reason == "SYNCED" else "", system.now(), key),
        ).rowcount
        update.commit_work(system, session, function="Z_ORDERBUS_PENDING_CLEAR")
    finally:
        system.locks.dequeue(f"{PENDING_LOCK}:{key}", session.id)
    found = changed or row_of(system, key) is not None
    return {"EV_FOUND": "X" if found else "", "EV_CHANGED": "X" if changed else ""}
