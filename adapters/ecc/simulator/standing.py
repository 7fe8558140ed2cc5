"""Z_ORDERBUS_ORDERS_FIND: everything that the system knows of many orders at once."""

from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.ecc.rfc import AbapApplicationError
from adapters.ecc.simulator.customers import as_registration
from adapters.ecc.simulator.documents import Row, SalesOrder
from adapters.ecc.simulator.pending import as_row
from adapters.ecc.simulator.system import RfcSession, System

MAX_KEYS = 1000


async def find(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_ORDERS_FIND."""
    del session
    keys = list(dict.fromkeys(row["ORDER_KEY"] for row in values["IT_KEYS"]))
    if len(keys) > MAX_KEYS:
        raise AbapApplicationError(f"more than {MAX_KEYS} keys", "INVALID_ARGUMENT")
    if values["IV_FIELD"] not in {"", "C", "S"}:
        raise AbapApplicationError("the field is unknown", "INVALID_ARGUMENT")
    now = system.now()
    rows = [as_row(record) for record in _those(system, "zorderbus_pend", "order_key", keys)]
    waiting = list(dict.fromkeys(row["CUSTOMER_KEY"] for row in rows if not row["CLEARED"]))
    customers = [as_registration(record) for record in _those(system, "zorderbus_cust", "customer_key", waiting)]
    column = "purch_no_s" if values["IV_FIELD"] == "S" else "purch_no_c"
    documents = [
        msgspec.json.decode(record["document"], type=SalesOrder)
        for record in _those(system, "sales_orders", column, keys)
    ]
    orders = [
        {
            "ORDER_KEY": getattr(document, column),
            "VBELN": document.vbeln,
            "KUNNR": document.kunnr,
            "NETWR": document.net_value,
            "WAERK": document.currency,
            "CREATED_AT": document.created_at,
        }
        for document in sorted(documents, key=lambda document: document.vbeln)
    ]
    return {"EV_NOW": now, "ET_ORDERS": orders, "ET_PENDING": rows, "ET_CUSTOMERS": customers}


def _those(system: System, table: str, column: str, keys: Sequence[str]) -> list[Any]:
    marks = ", ".join("?" * len(keys))
    query = f"SELECT * FROM {table} WHERE {column} IN ({marks})"  # noqa: S608 - names of ours, bound values
    return system.database.execute(query, keys).fetchall()
