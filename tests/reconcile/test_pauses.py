"""How often the same repair is published."""

import pytest

from orderbus.reconciliation import pauses
from orderbus.reconciliation.compare import Finding, PlaceAgain
from orderbus.reconciliation.pauses import Pauses
from schemas.messages import OrderWithdrawn
from schemas.order import OrderRef

REF, REF2, REF3 = (OrderRef("default", str(number), f"{number:09}") for number in (7, 8, 9))
LOST = Finding("missing-in-ecc", REF, repair=PlaceAgain(REF))


def swept(memory: Pauses, sweeps: int, finding: Finding = LOST) -> list[int]:
    """Return in which of so many sweeps, each of which finds the same, it is repaired."""
    made = []
    for sweep in range(1, sweeps + 1):
        memory.begin()
        memory.returned([finding])
        if due := memory.due([finding]):
            memory.published(due)
            made.append(sweep)
    return made


def test_pauses_double_up_to_a_day() -> None:
    """Six sweeps a day."""
    assert swept(Pauses(4 * 3600), 25) == [1, 2, 4, 8, 14, 20]


def test_with_a_sweep_a_day_nothing_waits() -> None:
    assert swept(Pauses(86_400), 4) == [1, 2, 3, 4]


def test_what_nothing_heals_is_not_due() -> None:
    assert swept(Pauses(3600), 3, Finding("totals-differ", REF)) == []


def test_another_repair_of_the_same_order_is_another_finding() -> None:
    memory = Pauses(3600)
    assert swept(memory, 3) == [1, 2]
    memory.begin()
    other = Finding("cancelled-while-waiting", REF, repair=OrderWithdrawn(REF, "cancelled"))
    assert memory.due([LOST, other]) == [LOST, other]
    memory.published([LOST])
    memory.begin()
    assert memory.due([LOST, other]) == [other]


def test_what_was_on_its_way_meanwhile_is_not_forgotten_and_what_stays_away_for_a_day_is() -> None:
    memory = Pauses(4 * 3600)
    assert swept(memory, 4) == [1, 2, 4]
    for _ in range(6):
        memory.begin()
    assert memory.returned([LOST]) == [LOST]
    for _ in range(7):
        memory.begin()
    assert memory.returned([LOST]) == []
    assert swept(memory, 1) == [1]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "REMEMBERED", 2)
    memory = Pauses(3600)
    findings = [Finding("missing-in-ecc", one, repair=PlaceAgain(one)) for one in (REF, REF2, REF3)]
    memory.begin()
    memory.published(findings)
    assert memory.due(findings) == findings[:1]
