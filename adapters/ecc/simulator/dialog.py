"""Dialog processes: each runs one call at a time, and the faults that can hit a call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from adapters.ecc.dictionary import FUNCTIONS, Field, Function
from adapters.ecc.rfc import AbapRuntimeError, CommunicationError
from adapters.ecc.simulator import customers, pending, returns, sales_orders, sessions, standing, update
from adapters.ecc.simulator.documents import Row
from adapters.ecc.simulator.faults import ConnectionLost, ReturnMessage, ShortDump, SlowCall
from adapters.ecc.simulator.system import RfcSession, System, loop_time
from adapters.ecc.simulator.wire import imports, initial, interface


class ConnectionDroppedError(Exception):
    """The connection is gone; there is nobody to answer."""


class Module(Struct, frozen=True):
    """The code of a function module."""

    run: Callable[[System, RfcSession, Row], Awaitable[Row]]
    """Does its work and returns exports and tables; what it leaves out is initial."""
    lock: Callable[[System, RfcSession, Row], None] | None = None
    """Takes its locks, before the time passes that its work takes."""


class Answer(Struct, frozen=True):
    """What a call ended in."""

    values: Row
    hang_up: bool = False
    """The connection dies once the answer has been sent."""


async def _ping(system: System, session: RfcSession, values: Row) -> Row:
    del system, session, values
    return {}


async def _function_interface(system: System, session: RfcSession, values: Row) -> Row:
    del system, session
    function = interface(values["FUNCNAME"])
    groups: dict[str, Mapping[str, Any]] = {"I": function.imports, "E": function.exports, "T": function.tables}
    rows = [
        {
            **initial("RFC_FUNINT"),
            "PARAMCLASS": group,
            "PARAMETER": parameter.name,
            "TABNAME": "" if isinstance(parameter.type, Field) else parameter.type,
            "OPTIONAL": "" if parameter.mandatory else "X",
        }
        for group, parameters in groups.items()
        for parameter in parameters.values()
    ]
    return {"PARAMS": rows}


async def _commit(system: System, session: RfcSession, values: Row) -> Row:
    task = update.commit_work(system, session)
    if values["WAIT"] and not await update.ended(session, task):
        return {"RETURN": returns.commit_failed()}
    return {}


async def _rollback(system: System, session: RfcSession, values: Row) -> Row:
    del values
    update.roll_back(system, session)
    return {}


MODULES: Mapping[str, Module] = MappingProxyType(
    {
        "RFC_PING": Module(_ping),
        "RFC_GET_FUNCTION_INTERFACE": Module(_function_interface),
        "BAPI_TRANSACTION_COMMIT": Module(_commit),
        "BAPI_TRANSACTION_ROLLBACK": Module(_rollback),
        "BAPI_SALESORDER_CREATEFROMDAT2": Module(sales_orders.create),
        "Z_ORDERBUS_ORDER_OPEN": Module(sales_orders.open_order, sales_orders.lock_order),
        "Z_ORDERBUS_PENDING_ADD": Module(pending.add, pending.lock_row),
        "Z_ORDERBUS_PENDING_GET": Module(pending.get),
        "Z_ORDERBUS_PENDING_CLEAR": Module(pending.clear, pending.lock_row),
        "Z_ORDERBUS_ORDERS_FIND": Module(standing.find),
        "Z_ORDERBUS_CUSTOMER_REGISTER": Module(customers.register, customers.lock_customer),
        "Z_ORDERBUS_CUSTOMERS_CHANGED": Module(customers.changed),
    }
)
"""The code behind each interface in the dictionary."""


async def call(system: System, session: RfcSession, name: str, given: Mapping[str, Any]) -> Answer:
    """Run a function module in a session.

    Raises
    ------
    RfcError
        What the caller is told.
    ConnectionDroppedError
        The caller is gone.
    """
    function = interface(name)
    values = imports(function, given)
    own_keys = sales_orders.keys_in(values)
    session.keys |= own_keys
    keys = own_keys or frozenset(session.keys)
    session.busy = True
    at_once = sum(other.busy and not other.died.done() for other in system.sessions.values())
    system.most_at_once = max(system.most_at_once, at_once)
    try:
        async with _dialog_process(system):
            if session.died.done():
                raise ConnectionDroppedError
            system.calls[name] = system.calls.get(name, 0) + 1
            lost = _connection_fault(system, name, keys)
            if lost in {"before", "during"}:
                session.hang_up()
            if lost == "before":
                raise ConnectionDroppedError
            values = await _step(system, session, function, values, keys)
            if lost == "after":
                session.hang_up()
    except (AbapRuntimeError, CommunicationError):
        sessions.end(system, session)
        raise
    finally:
        session.busy = False
        if session.died.done():
            sessions.end(system, session)
    if session.died.done():
        raise ConnectionDroppedError
    return Answer(values, hang_up=lost == "afterwards")


@asynccontextmanager
async def _dialog_process(system: System) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(system.config.queue_seconds):
            await system.dialog.acquire()
    except TimeoutError:
        system.turned_away += 1
        raise CommunicationError(
            f"All dialog processes were busy for {system.config.queue_seconds:g} s", "RFC_COMMUNICATION_FAILURE"
        ) from None
    try:
        yield
    finally:
        system.dialog.release()


async def occupy(system: System, seconds: float) -> None:
    """Keep all dialog processes at other work for some time."""
    taken = 0
    try:
        for _ in range(system.config.workers):
            await system.dialog.acquire()
            taken += 1
        await asyncio.sleep(seconds)
    finally:
        for _ in range(taken):
            system.dialog.release()


def _connection_fault(
    system: System, name: str, keys: set[str] | frozenset[str]
) -> Literal["before", "during", "after", "afterwards"] | None:
    fault = system.faults.take(ConnectionLost, name, keys, loop_time())
    if fault is not None:
        return fault.when
    if system.config.error_rate and system.draws.random() < system.config.error_rate:
        return system.draws.choice(("before", "during", "after"))
    return None


async def _step(
    system: System, session: RfcSession, function: Function, values: Row, keys: set[str] | frozenset[str]
) -> Row:
    name = function.name
    dump = system.faults.take(ShortDump, name, keys, loop_time())
    if dump is not None:
        raise AbapRuntimeError(dump.message, "SYSTEM_FAILURE")
    outputs = {name: initial(parameter.type) for name, parameter in function.exports.items()}
    if "RETURN" in function.tables or "RETURN" in function.exports:
        fault = system.faults.take(ReturnMessage, name, keys, loop_time())
        if fault is not None:
            row = returns.message(fault.type, fault.id, fault.number, fault.message)
            return {**outputs, "RETURN": [row] if "RETURN" in function.tables else row}
    module = MODULES[name]
    if module.lock is not None:
        module.lock(system, session, values)
    slow = system.faults.take(SlowCall, name, keys, loop_time())
    seconds = system.config.latencies.get(name, system.config.latency) + (slow.seconds if slow else 0.0)
    if seconds:
        await asyncio.sleep(seconds)
    return {**outputs, **await module.run(system, session, values)}


if set(MODULES) != set(FUNCTIONS):
    raise RuntimeError("the simulator does not implement exactly the function modules of the dictionary")
