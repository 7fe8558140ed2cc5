"""The service ``ecc-registrations``: customers that people registered in ECC are noticed by polling.

Each look starts some time before the last customer seen, since a registration may be committed after a later one. What
a look sees again is known from the memory of this process; after a restart it makes the same messages, with the same
ids.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from adapters.ecc import metrics
from adapters.ecc.changed import PUBLICATIONS, Rows, correlation_of, pages, pair
from adapters.ecc.config import EccConfig
from adapters.ecc.mapping.customer import registered
from adapters.ecc.sessions import Sessions
from adapters.ecc.times import from_ecc, to_ecc
from schemas.envelope import Poll, Publication, Publish
from schemas.failures import Permanent
from state import watermark
from state.database import Database
from state.kept import LOOK_AGAIN, Lease

logger = logging.getLogger(__name__)

NAME = "ecc-registrations"
"""Name of the watermark and of the lease."""
REMEMBERED = 50_000
"""Ids kept; more registrations than these within one overlap are published again, which their ids make harmless."""


def poll_registrations(
    sessions: Sessions, config: EccConfig, database: Database, lease: Lease, *, reread: bool = False
) -> Poll:
    """Return the poll for newly registered customers.

    It may run in several processes: one of them holds the lease and looks, the others wait.

    Parameters
    ----------
    database:
        The bus's own database, for the watermark.
    lease:
        That of the name `NAME`. A process that loses it finishes its page, which is harmless: the same customers make
        the same ids.
    reread:
        Begin with every registered customer: messages about them may have died with the process before (the embedded
        broker).
    """
    looks = _Looks(sessions, config, database, lease)
    from_the_beginning = reread

    async def poll(publish: Publish) -> float:
        nonlocal from_the_beginning
        if not await lease.mine():
            return min(config.poll_seconds, LOOK_AGAIN)
        await looks.over_changed(publish, from_the_beginning=from_the_beginning)
        from_the_beginning = False
        return config.poll_seconds

    return poll


class _Looks:
    """What the looks of one process share: the thread with its RFC session, and what was published."""

    def __init__(self, sessions: Sessions, config: EccConfig, database: Database, lease: Lease) -> None:
        self._sessions = sessions
        self._config = config
        self._database = database
        self._lease = lease
        # One thread of its own, so that one session serves every look.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=NAME)
        self._published: OrderedDict[str, None] = OrderedDict()

    async def over_changed(self, publish: Publish, *, from_the_beginning: bool) -> None:
        """Publish the customers registered or changed since the watermark, and move it once the broker has them."""
        mark = await asyncio.to_thread(watermark.read, self._database, NAME)
        since = ""
        if mark is not None and not from_the_beginning:
            since = to_ecc(from_ecc(mark[0], "The watermark") - timedelta(seconds=self._config.overlap_seconds))
        async for page in self._pages(since):
            await self._publish(page["ET_CUSTOMERS"], publish)
            # A time ahead of ECC's own clock must not carry the watermark past what is registered meanwhile.
            now, last = str(page["EV_NOW"]), pair(page["ET_CUSTOMERS"][-1])
            seen = last if last[0] <= now else (now, "")
            from_ecc(seen[0], "CHANGED_AT")
            await asyncio.to_thread(watermark.advance, self._database, NAME, seen)
            if not await self._lease.mine():
                return

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
        """Yield the pages that hold customers, asked for on the thread."""
        found = pages(self._sessions, self._config, since)
        step: Callable[[], Mapping[str, Any] | None] = lambda: next(found, None)  # noqa: E731
        while (page := await asyncio.get_running_loop().run_in_executor(self._thread, step)) is not None:
            yield page


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
            correlation_id=correlation_of(body.customer_key),
        )
