"""The simulated system as a whole, and a session in it."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.documents import Work
from adapters.ecc.simulator.faults import ArmedFaults
from adapters.ecc.simulator.locks import LockTable
from adapters.ecc.simulator.state import NumberRanges, open_database, timestamp


@dataclass(eq=False, slots=True)
class RfcSession:
    """One logon on one connection, and what it has not committed."""

    id: str
    user: str
    language: str
    hang_up: Callable[[], None]
    """Breaks the connection, as seen by the caller."""
    died: asyncio.Future[None]
    """Done once the connection is gone."""
    busy: bool = False
    """A call runs in a dialog process; the session ends no sooner than it."""
    work: list[Work] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    """Order and customer keys since the last commit or rollback."""


@dataclass(eq=False, slots=True)
class System:
    """All that lives as long as the simulated system runs."""

    config: SimulatorConfig
    clock: Callable[[], datetime]
    database: sqlite3.Connection
    numbers: NumberRanges
    locks: LockTable
    faults: ArmedFaults
    dialog: asyncio.Semaphore
    """Free dialog processes."""
    up: asyncio.Event
    """Cleared while a shutdown lasts."""
    draws: random.Random
    write: Callable[["System", Work], None]
    """Writes a part of a unit of work in the update task's transaction."""
    sessions: dict[str, RfcSession] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    """What is at work beside calls: update tasks above all."""
    logons: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    """Calls so far by function module."""
    most_at_once: int = 0
    """The most calls at work or waiting at one time, of callers still there, since the last shutdown."""
    turned_away: int = 0
    """Calls that found no dialog process in time."""

    def now(self) -> str:
        """Return ECC's time as our tables hold it."""
        return timestamp(self.clock())


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def boot(
    config: SimulatorConfig, write: Callable[[System, Work], None], clock: Callable[[], datetime] = utc_now
) -> System:
    """Open the database and return a system that is up; call it in a running event loop."""
    database = open_database(config)
    up = asyncio.Event()
    up.set()
    return System(
        config=config,
        clock=clock,
        database=database,
        numbers=NumberRanges(database, config),
        locks=LockTable(),
        faults=ArmedFaults(),
        dialog=asyncio.Semaphore(config.workers),
        up=up,
        draws=random.Random(config.seed),  # noqa: S311 - repeatable, not secret
        write=write,
    )


def loop_time() -> float:
    """Return the running loop's clock, seconds."""
    return asyncio.get_running_loop().time()
