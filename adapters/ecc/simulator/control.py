"""The simulator's own endpoints under ``/_simulator/``: its state as JSON, people's work, and faults.

Lists come in pages: ``?limit=`` (1000 unless told) and ``?after=`` the ``next`` of the page before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from adapters.ecc.simulator import customers, dialog, people
from adapters.ecc.simulator.faults import DialogBusy, Fault, LockHeld, Shutdown
from adapters.ecc.simulator.locks import ForeignLockError
from adapters.ecc.simulator.pending import as_row
from adapters.ecc.simulator.system import System, loop_time

MAX_PAGE = 10_000
Endpoint: TypeAlias = Callable[[System, web.BaseRequest], Awaitable[Any]]


class BadRequestError(Exception):
    """The request cannot be answered; says why."""


def _page(request: web.BaseRequest) -> tuple[str, int]:
    try:
        limit = int(request.query.get("limit", "1000"))
    except ValueError:
        limit = 0
    if not 1 <= limit <= MAX_PAGE:
        raise BadRequestError(f"limit is no number from 1 to {MAX_PAGE}")
    return request.query.get("after", ""), limit


def _listed(items: Sequence[Any], keys: Sequence[str], limit: int) -> dict[str, Any]:
    more = len(items) > limit
    return {"items": items[:limit], "next": keys[limit - 1] if more else None}


async def _sales_orders(system: System, request: web.BaseRequest) -> Any:
    after, limit = _page(request)
    key = request.query.get("key")
    found = system.database.execute(
        "SELECT vbeln, document FROM sales_orders WHERE vbeln > ? AND (? IS NULL OR purch_no_c = ? OR purch_no_s = ?)"
        " ORDER BY vbeln LIMIT ?",
        (after, key, key, key, limit + 1),
    ).fetchall()
    documents = [msgspec.Raw(record["document"]) for record in found]
    return _listed(documents, [record["vbeln"] for record in found], limit)


async def _pending_orders(system: System, request: web.BaseRequest) -> Any:
    after, limit = _page(request)
    found = system.database.execute(
        "SELECT * FROM zorderbus_pend WHERE order_key > ? ORDER BY order_key LIMIT ?", (after, limit + 1)
    ).fetchall()
    rows = [{name.lower(): value for name, value in as_row(record).items()} for record in found]
    return _listed(rows, [row["order_key"] for row in rows], limit)


async def _customers(system: System, request: web.BaseRequest) -> Any:
    after, limit = _page(request)
    found = system.database.execute(
        "SELECT * FROM customers WHERE kunnr > ? ORDER BY kunnr LIMIT ?", (after, limit + 1)
    ).fetchall()
    items = [
        {
            **{name: record[name] for name in record.keys() if name != "master"},  # noqa: SIM118 - sqlite3.Row
            "master": msgspec.json.decode(record["master"]),
            "contacts": [
                dict(contact)
                for contact in system.database.execute(
                    "SELECT parnr, first_name, last_name, email FROM contacts WHERE kunnr = ? ORDER BY parnr",
                    (record["kunnr"],),
                )
            ],
            "registrations": [
                {name.lower(): value for name, value in customers.as_registration(row).items()}
                for row in system.database.execute(
                    "SELECT * FROM zorderbus_cust WHERE kunnr = ? ORDER BY customer_key", (record["kunnr"],)
                )
            ],
        }
        for record in found
    ]
    return _listed(items, [item["kunnr"] for item in items], limit)


async def _register(system: System, request: web.BaseRequest) -> Any:
    try:
        decision = msgspec.json.decode(await request.read(), type=people.Decision)
    except msgspec.DecodeError as error:
        raise BadRequestError(str(error)) from error
    try:
        rows = await people.decide(system, decision)
    except people.NotRegisteredError as error:
        raise BadRequestError(str(error)) from error
    except ForeignLockError:
        raise BadRequestError("somebody registers this customer at the moment; try again") from None
    return {"items": [{name.lower(): value for name, value in row.items()} for row in rows], "next": None}


async def _counts(system: System, request: web.BaseRequest) -> Any:
    del request

    def count(query: str) -> int:
        return int(system.database.execute(query).fetchone()[0])

    return {
        "sales_orders": count("SELECT COUNT(*) FROM sales_orders"),
        "duplicates": count("SELECT COUNT(*) - COUNT(DISTINCT purch_no_c) FROM sales_orders"),
        "customers": count("SELECT COUNT(*) FROM customers"),
        "customers_registered": count("SELECT COUNT(*) FROM customers WHERE origin <> 'config'"),
        "contacts": count("SELECT COUNT(*) FROM contacts"),
        "registrations": count("SELECT COUNT(*) FROM zorderbus_cust"),
        "pending": count("SELECT COUNT(*) FROM zorderbus_pend"),
        "uncleared": count("SELECT COUNT(*) FROM zorderbus_pend WHERE cleared = ''"),
        "update_requests": count("SELECT COUNT(*) FROM update_requests"),
        "sessions": len(system.sessions),
        "locks": len(system.locks),
        "logons": system.logons,
        "calls": system.calls,
        "most_at_once": system.most_at_once,
        "turned_away": system.turned_away,
        "faults": system.faults.hits,
    }


async def _locks(system: System, request: web.BaseRequest) -> Any:
    del request
    return {"items": system.locks.all(), "next": None}


async def _faults(system: System, request: web.BaseRequest) -> Any:
    del request
    return {"items": system.faults.waiting(), "hits": system.faults.hits}


async def _arm(system: System, request: web.BaseRequest) -> Any:
    try:
        faults = msgspec.json.decode(await request.read(), type=list[Fault] | Fault)
    except msgspec.DecodeError as error:
        raise BadRequestError(str(error)) from error
    for fault in faults if isinstance(faults, list) else [faults]:
        arm(system, fault)
    return await _faults(system, request)


async def _disarm(system: System, request: web.BaseRequest) -> Any:
    system.faults.clear()
    system.up.set()
    return await _faults(system, request)


def arm(system: System, fault: Fault) -> None:
    """Arm a fault, or let it take effect if it needs no call."""
    loop = asyncio.get_running_loop()
    if isinstance(fault, Shutdown):
        system.up.clear()
        system.most_at_once = 0
        loop.call_later(fault.for_seconds, system.up.set)
        for session in list(system.sessions.values()):
            session.hang_up()
    elif isinstance(fault, DialogBusy):
        task = asyncio.create_task(dialog.occupy(system, fault.for_seconds))
        system.tasks.add(task)
        task.add_done_callback(system.tasks.discard)
    elif isinstance(fault, LockHeld):
        system.locks.enqueue(f"{fault.object}:{fault.key}", "somebody-else", 1)
        loop.call_later(fault.for_seconds, system.locks.dequeue, f"{fault.object}:{fault.key}", "somebody-else")
    else:
        system.faults.arm(fault, loop_time())


ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "/_simulator/sales-orders"): _sales_orders,
    ("GET", "/_simulator/pending-orders"): _pending_orders,
    ("GET", "/_simulator/customers"): _customers,
    ("POST", "/_simulator/customers"): _register,
    ("GET", "/_simulator/counts"): _counts,
    ("GET", "/_simulator/locks"): _locks,
    ("GET", "/_simulator/faults"): _faults,
    ("POST", "/_simulator/faults"): _arm,
    ("DELETE", "/_simulator/faults"): _disarm,
}
"""What is served by method and path."""


async def respond(system: System, request: web.BaseRequest) -> web.Response:
    """Answer a request to one of the endpoints."""
    endpoint = ENDPOINTS.get((request.method, request.path))
    if endpoint is None:
        known = sorted({path for _, path in ENDPOINTS})
        return _json({"error": f"no such endpoint; there are {', '.join(known)}"}, 404)
    try:
        return _json(await endpoint(system, request))
    except BadRequestError as error:
        return _json({"error": str(error)}, 400)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
