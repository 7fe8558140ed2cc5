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
from orderbus.reconciliation.pauses import Pauses
from orderbus.reconciliation.repair import Repairs
from orderbus.reconciliation.sweep import Sweep, Window
from router.policy import RoutingPolicy
from router.rules import is_real
from schemas.envelope import Poll, Publish
from state import lease
from state.database import Database
from state.kept import Lease

LEASE = "reconcile"
"""Name of the lease of the process that sweeps, held while it does."""
SWEPT = "reconcile-swept"
"""Name of the lease that runs for an interval after a sweep that came to its end; while it does, none is due."""
LONGEST_WAIT = 5.0
"""Seconds between two looks whether a sweep is due: one that died in the middle is begun again as soon."""

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

    Of several processes one sweeps. One that loses its lease finishes its sweep, which is harmless: what two sweeps
    publish is found done by whoever takes it second.

    Parameters
    ----------
    database:
        The bus's own database, with the leases and the directory of contacts.
    holder:
        Names this process in the leases.
    """
    sweep = Sweep(shop, sessions, ecc, database, terms)
    pauses = Pauses(settings.interval)

    async def is_due() -> bool:
        return await asyncio.to_thread(lease.holder_of, database, SWEPT) is None

    async def poll(publish: Publish) -> float:
        wait = min(settings.interval, LONGEST_WAIT)
        if not await is_due():
            return wait
        async with Lease(database, LEASE, holder) as alone:
            # Another may have swept between the two looks.
            if not await alone.mine() or not await is_due():
                return wait
            await over_window(publish, alone)
            await asyncio.to_thread(lease.hold, database, SWEPT, holder, settings.interval)
        return settings.interval

    async def over_window(publish: Publish, alone: Lease) -> None:
        began = time.monotonic()
        repairs = Repairs(shop, publish, datetime.now(UTC).isoformat()) if settings.repair else None
        counts: Counter[str] = Counter()
        returned: Counter[str] = Counter()
        pauses.begin()
        async for page in sweep.over(Window.back(settings.window)):
            counts.update(finding.kind for finding in page.findings)
            if repairs is not None:
                returned.update(finding.kind for finding in pauses.returned(page.findings))
                made = await repairs.make(pauses.due(page.findings))
                pauses.published(made)
                for routing_key in made.values():
                    metrics.REPAIRS.labels(routing_key).inc()
            await alone.mine()
        metrics.record(counts, returned, seconds=time.monotonic() - began, ended=time.time())
        found = {kind: count for kind, count in counts.items() if kind not in FINE}
        if found:
            said = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
            back = f" {returned.total()} came back after a repair; see `orderbus dead list`." if returned else ""
            logger.warning("Magento and ECC differ: %s. `orderbus reconcile` lists what.%s", said, back)

    return poll
