"""The service ``ecc-registrations``: customers that people registered in ECC are noticed by polling.

Each look starts some time before the last customer seen, since a registration may be committed after a later one. What
a look sees again is known from the memory of this process; after a restart it makes the same messages, with the same
ids.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from adapters.ecc import metrics
from adapters.ecc.config import EccConfig
from adapters.ecc.mapping.customer import registered
from adapters.ecc.sessions import Sessions
from adapters.ecc.times import from_ecc, to_ecc
from schemas.envelope import Poll, Publication, Publish
from schemas.failures import Permanent
from state import lease, watermark

logger = logging.getLogger(__name__)

NAME = "ecc-registrations"
"""Name of the watermark and of the lease."""
PUBLICATIONS = uuid.UUID("6f0c7a52-3f55-5b39-8f2b-4f8c9f1f7a10")
"""Name space of message ids."""
REMEMBERED = 50_000
"""Ids kept; more registrations than these within one overlap are published again, which their ids make harmless."""
LEAST_LEASE = 30.0
"""Seconds; a poller that died is replaced after so long, or after four polls."""

Rows = Sequence[Mapping[str, Any]]


def poll_registrations(
    sessions: Sessions, config: EccConfig, engine: Engine, holder: str, *, reread: bool = False
) -> Poll:
    """Return the poll for newly registered customers.

    It may run in several processes: one of them holds the lease and looks, the others wait.

    Parameters
    ----------
    engine:
        The bus's own database, for the watermark and the lease.
    holder:
        Names this process in the lease. With the embedded broker it is the same after a restart, which then need not
        wait for the lease of the process that died.
    reread:
        Begin with every registered customer: messages about them may have died with the process before (the embedded
        broker).
    """
    looks = _Looks(sessions, config, engine, holder)
    from_the_beginning = reread

    async def poll(publish: Publish) -> float:
        nonlocal from_the_beginning
        if await looks.allowed():
            await looks.over_changed(publish, from_the_beginning=from_the_beginning)
            from_the_beginning = False
        return config.poll_seconds

    return poll


class _Looks:
    """What the looks of one process share: the thread with its RFC session, and what was published."""

    def __init__(self, sessions: Sessions, config: EccConfig, engine: Engine, holder: str) -> None:
        self._sessions = sessions
        self._config = config
        self._engine = engine
        self._holder = holder
        # One thread of its own, so that one session serves every look.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=NAME)
        self._published: OrderedDict[str, None] = OrderedDict()

    async def allowed(self) -> bool:
        """Whether this process holds the lease, taken or renewed now."""
        seconds = max(LEAST_LEASE, 4 * self._config.poll_seconds)
        return await asyncio.to_thread(lease.hold, self._engine, NAME, self._holder, seconds)

    async def over_changed(self, publish: Publish, *, from_the_beginning: bool) -> None:
        """Publish the customers registered or changed since the watermark, and move it once the broker has them."""
        mark = await asyncio.to_thread(watermark.read, self._engine, NAME)
        since = ""
        if mark is not None and not from_the_beginning:
            since = to_ecc(from_ecc(mark[0], "The watermark") - timedelta(seconds=self._config.overlap_seconds))
        async for page in self._pages(since):
            await self._publish(page["ET_CUSTOMERS"], publish)
            # A time ahead of ECC's own clock must not carry the watermark past what is registered meanwhile.
            now, last = str(page["EV_NOW"]), _pair(page["ET_CUSTOMERS"][-1])
            seen = last if last[0] <= now else (now, "")
            from_ecc(seen[0], "CHANGED_AT")
            await asyncio.to_thread(watermark.advance, self._engine, NAME, seen)

    async def _publish(self, rows: Rows, publish: Publish) -> None:
        new = [made for made in _publications(rows) if made.id not in self._published]
        if not new:
            return
        await publish(new)
        for made in new:
            self._published[made.id] = None
        while len(self._published) > REMEMBERED:
            self._published.popitem(last=False)

    async def _pages(self, since: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the pages that are not empty; ECC continues behind the last row's pair."""
        at = (since, "")
        while True:
            page = await self._call(IV_SINCE=at[0], IV_AFTER_KEY=at[1], IV_MAX_ROWS=self._config.page_size)
            rows: Rows = page["ET_CUSTOMERS"]
            if rows:
                yield page
            if not page["EV_MORE"]:
                return
            if not rows or _pair(rows[-1]) == at:
                raise Permanent(
                    "Z_ORDERBUS_CUSTOMERS_CHANGED says that there are more customers, but does not go on.",
                    "Correct the function module in ECC as docs/ecc-interfaces.md describes it, and retry.",
                )
            at = _pair(rows[-1])

    async def _call(self, **parameters: str | int) -> Mapping[str, Any]:
        call: Callable[[], Mapping[str, Any]] = lambda: self._blocking(parameters)  # noqa: E731
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _blocking(self, parameters: Mapping[str, str | int]) -> Mapping[str, Any]:
        with self._sessions.take() as session:
            return session.call("Z_ORDERBUS_CUSTOMERS_CHANGED", **parameters)


def _pair(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what ECC sorts customers by."""
    return str(row["CHANGED_AT"]), str(row["CUSTOMER_KEY"])


def _publications(rows: Rows) -> Iterator[Publication]:
    """Yield the messages of a page; a row that cannot be one is passed over, so that it does not hold up the others."""
    for row in rows:
        try:
            body = registered(row)
        except Permanent as failure:
            metrics.SKIPPED_REGISTRATIONS.inc()
            # Cause and remedy say it all; a traceback would add nothing.
            logger.error("A registered customer is passed over: %s", failure)  # noqa: TRY400
            continue
        seen = "\n".join((body.customer_key, str(row["CHANGED_AT"]), body.registration.sap_customer_number))
        yield Publication(
            body=body,
            id=str(uuid.uuid5(PUBLICATIONS, seen)),
            correlation_id=str(uuid.uuid5(PUBLICATIONS, body.customer_key)),
        )
