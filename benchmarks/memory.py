"""How much a process holds while it works through very much: samples of its memory at each step of the work."""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from benchmarks.meter import cpu_seconds, resident_megabytes
from benchmarks.report import Figure, Part

EVERY = 0.05
SHOWN = 12


class Step(Struct, frozen=True):
    """A moment of the work."""

    done: int
    seconds: float
    """Since the beginning."""
    resident_mb: float
    cpu_seconds: float


def followed(pid: int, done: Callable[[], int], total: int, longest: float) -> list[Step]:
    """Follow a process until it has done all its work.

    Parameters
    ----------
    done:
        Tells how much it has done in all; asked some twenty times a second.
    longest:
        Seconds without progress after which it is given up.

    Raises
    ------
    TimeoutError
        It got stuck.
    """
    begun = moved = time.monotonic()
    steps: list[Step] = []
    while not steps or steps[-1].done < total:
        time.sleep(EVERY)
        now, count = time.monotonic(), done()
        if not steps or count > steps[-1].done:
            moved = now
            steps.append(Step(count, now - begun, resident_megabytes(pid), cpu_seconds(pid)))
        if now - moved > longest:
            raise TimeoutError(f"Nothing moved for {longest:g} s at {count} of {total}.")
    return steps


def growth(steps: Sequence[Step], settled: int) -> float:
    """Return by how many MB the process was at most larger than when it had done so much work."""
    reference = next(step for step in steps if step.done >= settled)
    return max(step.resident_mb for step in steps if step.done >= settled) - reference.resident_mb


def tabled(part: Part, steps: Sequence[Step], unit: str) -> None:
    """Add the steps to a part, a dozen of them, and the rate of the whole."""
    part.columns = (unit, "seconds", "resident, MB", f"{unit}/s so far", f"client µs/{unit.removesuffix('s')}")
    marks = [steps[-1].done * (number + 1) // SHOWN for number in range(SHOWN)]
    for mark in marks:
        step = next(one for one in steps if one.done >= mark)
        part.rows.append(
            (
                f"{step.done:,}",
                round(step.seconds, 1),
                round(step.resident_mb, 1),
                round(step.done / step.seconds),
                round(step.cpu_seconds / step.done * 1e6, 1),
            )
        )
    last = steps[-1]
    part.figures.append(Figure(f"{unit} a second", last.done / last.seconds, "/s"))
