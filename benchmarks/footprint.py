"""Part ``footprint``: how long each service takes from its start to ready, and the memory it holds when idle."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from benchmarks.broker import private_broker
from benchmarks.contender import ROOT
from benchmarks.meter import private_megabytes, resident_megabytes
from benchmarks.report import Figure, Part
from benchmarks.system import Settings, migrate, running
from orderbus import services as rows
from tests.postgres import PostgresCluster
from tests.processes import wait_until

METHOD = (
    "Each service by itself, its byte code compiled as an installed package has it, broker and database up, topology "
    "applied, database migrated; from starting the process to /readyz answering 200 (median of the rounds), and its "
    "memory a second later: VmRSS, and of this what it shares with no file (RssAnon), since the rest is in memory once "
    "however many services run. The services that keep state are measured with either database."
)
IDLE_SECONDS = 1.0
STATELESS = frozenset(
    row.name
    for row in (
        rows.ROUTER,
        rows.ECC_HOLDS,
        rows.ECC_CUSTOMERS,
        rows.ECC_RELEASES,
        rows.ECC_CLEAR_FLAGS,
        rows.MAGENTO_CUSTOMERS,
    )
)
"""Services that do not use the bus's own database."""


class Footprint(Struct, frozen=True):
    """One start of a service."""

    ready_seconds: float
    idle_mb: float
    private_mb: float


def once(service: str, config: Path) -> Footprint:
    """Start a service, wait until it is ready, and stop it."""
    begun = time.perf_counter()
    with running([service], config) as process:
        ready = time.perf_counter() - begun
        settled = time.perf_counter() + IDLE_SECONDS
        wait_until(lambda: time.perf_counter() > settled, "the service has settled")
        return Footprint(ready, resident_megabytes(process.pid), private_megabytes(process.pid))


def compiled() -> None:
    """Write this tree's byte code, which a process would else make at each start where it may not keep it."""
    packages = ("adapters", "bus", "orderbus", "router", "schemas", "state")
    subprocess.run([sys.executable, "-m", "compileall", "-q", *packages], cwd=ROOT, check=True)


def run(rounds: int, console: Console) -> Part:
    """Measure the part."""
    compiled()
    starts: dict[tuple[str, str], list[Footprint]] = {}
    cluster = PostgresCluster()
    try:
        cluster.start()
        with private_broker() as bench, tempfile.TemporaryDirectory(prefix="orderbus-bench-") as name:
            bench.fresh()
            configs = {}
            for kind, url in (("SQLite", ""), ("PostgreSQL", cluster.new_database())):
                directory = Path(name) / kind
                directory.mkdir()
                configs[kind] = Settings(bench.url, url).write(directory)
                migrate(configs[kind])
            for number in range(rounds):
                for service, kind, config in _starts(configs):
                    one = once(service, config)
                    starts.setdefault((service, kind), []).append(one)
                    console.print(
                        f"round {number + 1}/{rounds}  {service:<24} {kind:<12} {one.ready_seconds:.2f} s  "
                        f"{one.idle_mb:.0f} MB"
                    )
    finally:
        cluster.close()
    return _part(starts)


def _starts(configs: dict[str, Path]) -> list[tuple[str, str, Path]]:
    return [
        (row.name, "" if row.name in STATELESS else kind, config)
        for row in rows.TABLE
        for kind, config in configs.items()
        if row.name not in STATELESS or kind == "SQLite"
    ]


def _part(starts: dict[tuple[str, str], list[Footprint]]) -> Part:
    part = Part("footprint", METHOD, ("service", "database", "ready, s", "idle, MB", "of this private, MB"))
    for (service, kind), taken in starts.items():
        ready = statistics.median(one.ready_seconds for one in taken)
        largest = max(one.idle_mb for one in taken), max(one.private_mb for one in taken)
        part.rows.append((service, kind, round(ready, 2), *(round(one, 1) for one in largest)))
    slowest = max(float(row[2]) for row in part.rows)
    part.figures = [Figure("slowest service, start to ready", slowest, "s", 1.0, 0.5, smaller_is_better=True)]
    for kind, what in (("", "without a database"), ("SQLite", "on SQLite"), ("PostgreSQL", "on PostgreSQL")):
        most = max(float(row[3]) for row in part.rows if row[1] == kind)
        part.figures.append(Figure(f"largest idle service {what}", most, "MB", 60, 40, smaller_is_better=True))
    return part
