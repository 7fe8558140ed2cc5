"""COMMIT WORK and the update task: what a session did becomes visible some time after its commit, session or not."""

import asyncio
import logging
import sqlite3
import uuid
from typing import Any

import msgspec

from adapters.ecc.simulator.documents import UpdateRequest, Work
from adapters.ecc.simulator.faults import SlowUpdate, UpdateTerminated
from adapters.ecc.simulator.state import transaction
from adapters.ecc.simulator.system import RfcSession, System, loop_time

logger = logging.getLogger(__name__)

COMMIT = "BAPI_TRANSACTION_COMMIT"


def commit_work(system: System, session: RfcSession, *, function: str = COMMIT) -> asyncio.Task[bool] | None:
    """End the session's unit of work: record an update request, hand the locks of scope 2 to it, and start its task.

    Parameters
    ----------
    function:
        The function module that commits; faults select by it.

    Returns
    -------
    asyncio.Task or None
        The update task; its result says whether it wrote. ``None`` if there was nothing to update: the session then
        keeps its locks.
    """
    keys = frozenset(session.keys)
    session.keys.clear()
    if not session.work:
        return None
    fails = system.faults.take(UpdateTerminated, function, keys, loop_time()) is not None
    slow = system.faults.take(SlowUpdate, function, keys, loop_time())
    id_ = uuid.uuid4().hex
    request = UpdateRequest(id_, tuple(session.work), system.locks.hand_on(session.id, id_), fails)
    session.work.clear()
    system.database.execute(
        "INSERT INTO update_requests VALUES (?, ?, ?, ?)",
        (id_, msgspec.json.encode(request.work), msgspec.json.encode(request.locks), fails),
    )
    return _start(system, request, slow.seconds if slow else system.config.update_seconds)


async def ended(session: RfcSession, task: asyncio.Task[bool] | None) -> bool:
    """Wait until an update task has ended or the session has died; return whether nothing is known to have failed."""
    if task is None:
        return True
    waited: set[asyncio.Future[Any]] = {task, session.died}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    return not task.done() or task.result()


def roll_back(system: System, session: RfcSession) -> None:
    """Drop the session's unit of work and its locks of scope 2."""
    session.work.clear()
    session.keys.clear()
    system.locks.free(session.id, 2)


def resume(system: System) -> None:
    """Start the update tasks of requests that an earlier run of the system left, with their locks."""
    for row in system.database.execute("SELECT * FROM update_requests ORDER BY id").fetchall():
        locks = msgspec.json.decode(row["locks"], type=tuple[str, ...])
        work = msgspec.json.decode(row["work"], type=tuple[Work, ...])
        system.locks.take_back(locks, row["id"])
        _start(system, UpdateRequest(row["id"], work, locks, bool(row["fails"])), system.config.update_seconds)


def _start(system: System, request: UpdateRequest, seconds: float) -> asyncio.Task[bool]:
    task = asyncio.create_task(_update(system, request, seconds))
    system.tasks.add(task)
    task.add_done_callback(system.tasks.discard)
    return task


async def _update(system: System, request: UpdateRequest, seconds: float) -> bool:
    if seconds:
        await asyncio.sleep(seconds)
    await system.up.wait()
    try:
        if not request.fails:
            with transaction(system.database):
                for work in request.work:
                    system.write(system, work)
                _forget(system, request)
            return True
    except sqlite3.IntegrityError:
        logger.exception("an update was terminated")
    finally:
        system.locks.free(request.id)
    _forget(system, request)
    return False


def _forget(system: System, request: UpdateRequest) -> None:
    system.database.execute("DELETE FROM update_requests WHERE id = ?", (request.id,))
