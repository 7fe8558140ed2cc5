"""What the bus counts, for Prometheus.

Counting happens on the I/O thread alone, on plain dicts and lists; Prometheus's own counters take a lock each time,
which the hot path would feel. They are read when somebody asks.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Outcome: TypeAlias = Literal["done", "retried", "deferred", "dead-lettered"]

_HANDLER_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CONFIRM_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Durations:
    """A histogram of seconds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Return the cumulated counts by upper bound, and the sum."""
        total, result = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            result.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
        return result, self._sum


class Metrics(Collector):
    """The counts of one process; give it to a registry to have them served.

    Parameters
    ----------
    connected:
        Tells whether the broker is connected.
    """

    def __init__(self, connected: Callable[[], bool]) -> None:
        self.handled: Counter[tuple[str, str, Outcome]] = Counter()
        """By service, CloudEvents type and outcome."""
        self.published: Counter[tuple[str, str]] = Counter()
        """Confirmed, by service and routing key."""
        self.retries: Counter[str] = Counter()
        self.dead: Counter[tuple[str, str]] = Counter()
        """By service and reason."""
        self.poll_failures: Counter[str] = Counter()
        self.circuits: dict[str, bool] = {}
        """Whether each service's circuit is open."""
        self._connected = connected
        self._handlers: dict[tuple[str, str], Durations] = {}
        self._confirms = Durations(_CONFIRM_BOUNDS)
        self.confirmed = self._confirms.observe

    def handler_took(self, service: str, type_name: str, seconds: float) -> None:
        """Count one call of a handler."""
        durations = self._handlers.get((service, type_name))
        if durations is None:
            durations = self._handlers[service, type_name] = Durations(_HANDLER_BOUNDS)
        durations.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Return the counts as Prometheus's families."""
        handled = CounterMetricFamily(
            "orderbus_messages_handled", "Messages taken in, by outcome.", labels=("service", "type", "outcome")
        )
        for labels, count in list(self.handled.items()):
            handled.add_metric(labels, count)
        yield handled
        published = CounterMetricFamily(
            "orderbus_messages_published", "Messages confirmed by the broker.", labels=("service", "routing_key")
        )
        for key, count in list(self.published.items()):
            published.add_metric(key, count)
        yield published
        retries = CounterMetricFamily("orderbus_retries", "Messages sent to the retry ladder.", labels=("service",))
        for service, count in list(self.retries.items()):
            retries.add_metric((service,), count)
        yield retries
        dead = CounterMetricFamily(
            "orderbus_dead_lettered", "Messages given up, by reason.", labels=("service", "reason")
        )
        for key, count in list(self.dead.items()):
            dead.add_metric(key, count)
        yield dead
        polls = CounterMetricFamily("orderbus_poll_failures", "Polls that failed.", labels=("service",))
        for service, count in list(self.poll_failures.items()):
            polls.add_metric((service,), count)
        yield polls
        durations = HistogramMetricFamily(
            "orderbus_handler_duration_seconds", "Time in a handler.", labels=("service", "type")
        )
        for key, each in list(self._handlers.items()):
            buckets, total = each.buckets()
            durations.add_metric(key, buckets, total)
        yield durations
        buckets, total = self._confirms.buckets()
        confirms = HistogramMetricFamily("orderbus_publish_confirm_seconds", "Time from publish to confirm.")
        confirms.add_metric((), buckets, total)
        yield confirms
        circuits = GaugeMetricFamily(
            "orderbus_circuit_open", "1 while a service takes no work in.", labels=("service",)
        )
        for service, is_open in list(self.circuits.items()):
            circuits.add_metric((service,), float(is_open))
        yield circuits
        yield GaugeMetricFamily(
            "orderbus_broker_connected", "1 while the broker is connected.", float(self._connected())
        )
