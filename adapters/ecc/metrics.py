"""What the adapter counts: RFC calls, their duration, and sessions; labelled by function module and outcome alone."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("orderbus_rfc_calls", "RFC calls ended.", ("function", "outcome"))
SECONDS = Histogram(
    "orderbus_rfc_call_seconds",
    "Duration of RFC calls.",
    ("function",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
CONNECTS = Counter("orderbus_rfc_connects", "Attempts to open an RFC session ended.", ("outcome",))
IN_USE = Gauge("orderbus_rfc_sessions_in_use", "RFC sessions that a handler works with.")
IDLE = Gauge("orderbus_rfc_sessions_idle", "RFC sessions kept open for the next message.")
SKIPPED_REGISTRATIONS = Counter(
    "orderbus_ecc_registrations_skipped", "Rows of registered customers that are no valid registration."
)
