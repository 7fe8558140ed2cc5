"""Contenders: processes that do the same work, and the measurement of one of them at it."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from benchmarks.meter import cpu_seconds, peak_megabytes
from tests.processes import Server, wait_until

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 0.1
"""Share of the messages that is done before the clock starts: connections, imports and caches are then there."""
LONGEST = 300.0


class Contender(Struct, frozen=True):
    """A program that does the work of a part."""

    name: str
    command: tuple[str, ...]
    share: float = 1.0
    """Share of the messages it is given: rates do not depend on it, and slow programs would take all the time."""
    environment: dict[str, str] = field(default_factory=dict)
    copies: int = 1
    """Processes that share the work."""


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of this tree with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


class Sample(Struct, frozen=True):
    """One contender in one round."""

    per_second: float
    client_us: float
    """CPU of the contender per message, all its processes together, microseconds."""
    broker_us: float
    """CPU of the broker per message, microseconds."""
    peak_mb: float
    """The most memory that one of its processes held."""


class _Reading(Struct, frozen=True):
    done: int
    at: float
    client: float
    broker: float


def start(contender: Contender, log: Path, extra: Mapping[str, str]) -> Server:
    """Start a contender with this tree on its path; its words may hold ``{names}`` of `extra`."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | contender.environment
    return Server([word.format_map(extra) for word in contender.command], log=log, env=environment)


def measure(servers: Sequence[Server], done: Callable[[], int], total: int, broker_pid: int) -> Sample:
    """Watch a contender until it has done all its messages, and stop it.

    Parameters
    ----------
    servers:
        The contender's processes.
    done:
        Tells how many messages it has done; asked a hundred times a second.
    total:
        How many it has to do.
    broker_pid:
        Process id of the broker.

    Returns
    -------
    Sample
        What it did and used between its first tenth and its last message.

    Raises
    ------
    RuntimeError
        When it ends before its work does.
    """

    def read(at_least: int) -> _Reading:
        latest = 0

        def reached() -> bool:
            nonlocal latest
            latest = done()
            for server in servers:
                if latest < at_least and not server.running:
                    raise RuntimeError(f"A contender ended after {latest} of {total} messages: {server.tail()}")
            return latest >= at_least

        wait_until(reached, f"{at_least} messages are done", seconds=LONGEST, every=0.01)
        client = sum(cpu_seconds(server.pid) for server in servers)
        return _Reading(latest, time.perf_counter(), client, cpu_seconds(broker_pid))

    first = read(max(1, round(total * WARM_UP)))
    last = read(total)
    peak = max(peak_megabytes(server.pid) for server in servers)
    messages = last.done - first.done
    return Sample(
        per_second=messages / (last.at - first.at),
        client_us=(last.client - first.client) / messages * 1e6,
        broker_us=(last.broker - first.broker) / messages * 1e6,
        peak_mb=peak,
    )
