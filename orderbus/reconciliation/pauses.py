"""Repairs that do not help are repeated ever more seldom: twice the sweeps each time, up to a day's.

A finding that comes back after its repair was published was on its way, or its message is refused each time and lies in
a dead-letter queue, where publishing it at every sweep would only make more letters.
"""

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from orderbus.reconciliation.compare import Finding

LONGEST = 86_400.0
"""Seconds between two repairs of the same finding, at most; one that was not found for as long is forgotten."""
REMEMBERED = 50_000
"""Findings; more than these are only repaired more often. Each is a number of its own and three more."""


class _Repaired(Struct):
    """What is remembered of a repair; all three count sweeps."""

    pause: int
    due: int
    found: int


class Pauses:
    """What the sweeps of this process repaired, and when it may do so again.

    Parameters
    ----------
    interval:
        Seconds between two sweeps.
    """

    def __init__(self, interval: float) -> None:
        self._longest = max(1, int(LONGEST / interval))
        self._sweep = 0
        self._repaired: OrderedDict[int, _Repaired] = OrderedDict()

    def begin(self) -> None:
        """Count a sweep, and forget what was not found for long."""
        self._sweep += 1
        gone = [one for one, last in self._repaired.items() if self._sweep - last.found > self._longest]
        for one in gone:
            del self._repaired[one]

    def returned(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those that are found though they were repaired, and remember that they are."""
        back = []
        for finding in findings:
            if (last := self._repaired.get(_identity(finding))) is not None:
                last.found = self._sweep
                back.append(finding)
        return back

    def due(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those whose repair may be published in this sweep."""
        return [one for one in findings if one.repair is not None and self._is_due(_identity(one))]

    def published(self, findings: Iterable[Finding]) -> None:
        """Remember that repairs were published."""
        for one in map(_identity, findings):
            last = self._repaired.pop(one, None)
            pause = 1 if last is None else min(2 * last.pause, self._longest)
            self._repaired[one] = _Repaired(pause, self._sweep + pause, self._sweep)
            if len(self._repaired) > REMEMBERED:
                self._repaired.popitem(last=False)

    def _is_due(self, one: int) -> bool:
        last = self._repaired.get(one)
        return last is None or self._sweep >= last.due


def _identity(finding: Finding) -> int:
    """Return what tells findings apart, without keeping them; another repair of the same order is another finding."""
    return hash((finding.kind, finding.ref, finding.repair))
