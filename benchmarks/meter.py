"""What processes use, read from ``/proc``; Linux alone."""

import contextlib
import os
import platform
import re
import subprocess
import time
from importlib import metadata
from pathlib import Path

from msgspec import Struct

import tests.postgres
import tests.rabbitmq

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    members = [pid]
    for member in members:  # grows while it is walked
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                members += [int(child) for child in children.read_text().split()]
    return members


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process and its descendants have used so far."""
    ticks = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            # The command name before the last parenthesis may hold spaces; utime and stime are fields 14 and 15.
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def resident_megabytes(pid: int) -> float:
    """Return the memory that a process holds now, in MB of 2**20 bytes."""
    return _status_kilobytes(pid, "VmRSS") / 1024


def private_megabytes(pid: int) -> float:
    """Return the memory of a process that no file backs, in MB of 2**20 bytes."""
    return _status_kilobytes(pid, "RssAnon") / 1024


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a process has held, in MB of 2**20 bytes."""
    return _status_kilobytes(pid, "VmHWM") / 1024


def _status_kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no {name}")


class Work(Struct, frozen=True):
    """How much the processors have worked by some moment."""

    at: float
    """The moment, `time.perf_counter`."""
    ours: float
    """CPU seconds of this process and its descendants."""
    all: float
    """CPU seconds of the whole machine."""

    def shares_since(self, earlier: "Work") -> tuple[float, float]:
        """Return the share of the processors that the benchmark has used since, and that everything has."""
        capacity = (self.at - earlier.at) * (os.cpu_count() or 1)
        return (self.ours - earlier.ours) / capacity, (self.all - earlier.all) / capacity


def work() -> Work:
    """Read how much the processors have worked."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle, iowait
    return Work(time.perf_counter(), cpu_seconds(os.getpid()), (sum(ticks) - idle) / TICKS_PER_SECOND)


class Machine(Struct, frozen=True):
    """Where the figures were taken."""

    cpu: str
    cores: int
    memory_gb: float
    load_before: float
    """Load average of the last minute before the run: above about 0.5, something else was running."""


def machine() -> Machine:
    """Describe this machine."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=models[0] if models else os.uname().machine,
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 2**30, 1),
        load_before=round(os.getloadavg()[0], 2),
    )


Versions = dict[str, str]
"""Of what takes part, by name."""
PACKAGES = ("kombu", "amqp", "msgspec", "aiohttp", "psycopg", "aio-pika", "faststream", "uvloop")


def versions() -> Versions:
    """Return the versions of Python, of the servers, and of the packages that take part."""
    found = {"Python": platform.python_version(), "Linux": platform.release()}
    if (rabbitmq := tests.rabbitmq.installed()) and (number := re.search(r"rabbitmq_server-([\d.]+)", str(rabbitmq))):
        found["RabbitMQ"] = number[1]
    if (postgres := tests.postgres.installed()) is not None:
        told = subprocess.run([postgres / "postgres", "--version"], capture_output=True, text=True, check=False)
        found["PostgreSQL"] = " ".join(re.findall(r"\b\d+\.\d+\b", told.stdout)[:1])
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
