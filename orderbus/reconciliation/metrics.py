"""What the service that reconciles counts; no label carries an order or a customer."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge

from orderbus.reconciliation.compare import FINE, KINDS

FINDINGS = Gauge("orderbus_reconcile_findings", "Differences that the last sweep found, by kind.", ("kind",))
ORDERS = Gauge("orderbus_reconcile_orders", "Orders that the last sweep found nothing wrong with.", ("standing",))
RETURNED = Gauge(
    "orderbus_reconcile_returned_findings",
    "Of the last sweep's differences, those that were found again after a repair of theirs, by kind.",
    ("kind",),
)
REPAIRS = Counter("orderbus_reconcile_repairs", "Findings for which a sweep published a message.", ("routing_key",))
LAST_RUN = Gauge("orderbus_reconcile_last_run_timestamp_seconds", "When the last sweep ended, since the epoch.")
DURATION = Gauge("orderbus_reconcile_duration_seconds", "How long the last sweep took.")


def record(counts: Mapping[str, int], returned: Mapping[str, int], *, seconds: float, ended: float) -> None:
    """Set what a sweep found, the kinds that it did not find included.

    Parameters
    ----------
    counts, returned:
        By kind, everything found, and what was found again after its repair.
    seconds:
        How long it took.
    ended:
        When it ended, in seconds since the epoch.
    """
    for kind in KINDS:
        if kind in FINE:
            ORDERS.labels(kind).set(counts.get(kind, 0))
        else:
            FINDINGS.labels(kind).set(counts.get(kind, 0))
            RETURNED.labels(kind).set(returned.get(kind, 0))
    DURATION.set(seconds)
    LAST_RUN.set(ended)
