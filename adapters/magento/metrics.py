"""What the adapter counts; no label carries an order, a customer or an address."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter("orderbus_magento_requests", "Requests to the shop, by outcome.", ("outcome",))
"""Outcomes: the HTTP status class (``2xx``, ``4xx``...), ``401``, ``429``, ``timeout``, ``unreachable``."""
PUBLISHED = Counter("orderbus_magento_orders_published", "Orders that the poller has published, confirmed.")
SKIPPED = Counter("orderbus_magento_orders_skipped", "Orders that were read and not published, by reason.", ("reason",))
LAG = Gauge(
    "orderbus_magento_watermark_lag_seconds",
    "How far the publisher is behind the shop's clock while there is more to read; 0 when it has read all.",
)
LOST_UPDATES = Counter(
    "orderbus_magento_lost_updates", "Writes of an order number that made Magento lose another change of the order."
)
