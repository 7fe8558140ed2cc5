"""The circuit of many replicas that lost the other system together."""

from itertools import pairwise

from bus.breaker import Breaker
from bus.config import BrokerConfig

REPLICAS = 50
HOUR = 3600.0


def trials(until: float) -> list[float]:
    """Return when a replica tries the other system, which is away from 0 on, up to its first trial after `until`."""
    breaker, times = Breaker(BrokerConfig().breaker_delays), [0.0]
    while times[-1] <= until:
        delay = breaker.outage(breaker.round)
        assert delay is not None
        times.append(times[-1] + delay)
        breaker.try_one()
    return times


def test_replicas_that_lost_it_together_do_not_come_back_together() -> None:
    first = sorted(trials(HOUR)[-1] for _ in range(REPLICAS))
    assert first[-1] - first[0] > 2.5
    at_once = max(sum(begun <= time < begun + 0.1 for time in first) for begun in first)
    assert at_once <= REPLICAS / 5


def test_even_after_an_hour_it_is_tried_within_seconds() -> None:
    assert all(trials(HOUR)[-1] - HOUR <= 10 for _ in range(REPLICAS))


def test_at_first_it_is_tried_sooner() -> None:
    waits = [after - before for before, after in pairwise(trials(60))]
    assert waits[0] <= 1
    assert all(0.5 * most <= wait <= most for wait, most in zip(waits, (1, 2, 5, 10, 10), strict=False))
