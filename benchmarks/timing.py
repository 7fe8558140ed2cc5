"""Arithmetic on times."""

from collections.abc import Iterable, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lie.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5)
    3.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def covered(spans: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """Return how much of the time between two moments lies within at least one of the spans.

    >>> covered([(0, 2), (1, 3), (5, 6), (8, 20)], 1, 9)
    4.0
    """
    total, reached = 0.0, begin
    for span in sorted(spans):
        first, last = max(span[0], reached), min(span[1], end)
        if last > first:
            total += last - first
            reached = last
    return total
