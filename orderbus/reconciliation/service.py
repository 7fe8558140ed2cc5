"""The service ``reconcile``: a sweep on a schedule, its findings as metrics and in the log."""

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from adapters.ecc.config import EccConfig
from adapters.ecc.sessions import Sessions
from adapters.magento.shop import Shop
from orderbus.config import Reconcile
from orderbus.reconciliation import metrics
from orderbus.reconciliation.compare import FINE, Terms
from orderbus.reconciliation.repair import Repairs
from orderbus.reconciliation.sweep import Sweep, Window
from router.policy import RoutingPolicy
from router.rules import is_real
from schemas.envelope import Poll, Publish
from state import lease
from state.database import Database

LEASE = "reconcile"
"""Name of the lease: one of all processes sweeps, once in an interval."""
LONGEST_WAIT = 60.0
"""Seconds between two looks whether the process that sweeps is still there."""

logger = logging.getLogger(__name__)


def terms_of(settings: Reconcile, ecc: EccConfig, policy: RoutingPolicy) -> Terms:
    """Return what the comparison depends on, as configured."""
    return Terms(
        grace=timedelta(seconds=settings.grace),
        registration=ecc.registration,
        is_real=lambda store, number: is_real(policy, store, number),
    )


def poll_differences(  # noqa: PLR0913, PLR0917 - a sweep needs both systems, and a service its database
    shop: Shop, sessions: Sessions, ecc: EccConfig, terms: Terms, settings: Reconcile, database: Database, holder: str
) -> Poll:
    """Return the poll that compares the shop with ECC once in every interval, and heals where configured.

    Parameters
    ----------
    database:
        The bus's own database, for the lease.
    holder:
        Names this process in the lease.
    """
    sweep = Sweep(shop, sessions, ecc, terms)

    async def held() -> bool:
        return await asyncio.to_thread(lease.hold, database, LEASE, holder, settings.interval)

    async def poll(publish: Publish) -> float:
        if not await held():
            return min(settings.interval, LONGEST_WAIT)
        began = time.monotonic()
        repairs = Repairs(shop, publish, datetime.now(UTC).isoformat()) if settings.repair else None
        counts: Counter[str] = Counter()
        async for page in sweep.over(Window.back(settings.window)):
            counts.update(finding.kind for finding in page.findings)
            if repairs is not None:
                for routing_key in (await repairs.make(page.findings)).values():
                    metrics.REPAIRS.labels(routing_key).inc()
            await held()
        metrics.record(counts, seconds=time.monotonic() - began, ended=time.time())
        found = {kind: count for kind, count in counts.items() if kind not in FINE}
        if found:
            said = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
            logger.warning("Magento and ECC differ: %s. `orderbus reconcile` lists the orders.", said)
        return settings.interval

    return poll
