"""A lease that is kept for as long as its holder lives: renewed in the background, and short."""

import asyncio
import threading
import time
from contextlib import suppress
from typing import Self

from schemas.failures import Failure
from state import lease
from state.database import Database

SECONDS = 6.0
"""How far ahead a lease runs: for so long a process that was killed keeps others waiting."""
LOOK_AGAIN = 2.0
"""Seconds after which whoever did not get a lease may ask again."""
STUCK = 120.0
"""Seconds for which a lease is renewed for a holder that does not ask for it; then it is taken for stuck."""


class Lease:
    """A lease that is renewed in the background while its holder lives and goes on asking for it.

    A process that is killed is replaced within seconds, one whose work takes long keeps its lease. One that is frozen
    loses it, and learns so when it asks again, since the clock by which it trusts its lease goes on meanwhile. What
    it had begun before, it may finish beside its replacement: what is done under a lease must be harmless when it is
    done twice.

    Parameters
    ----------
    database:
        The bus's own database. While it is away the lease runs out.
    name:
        What is leased.
    holder:
        Who asks; unique, for the same holder may always ask again.
    pause:
        Seconds that pass between two times the holder asks, when all is well.
    seconds:
        How far ahead the lease runs; it is renewed each third of that.

    Examples
    --------
    ::

        async with Lease(database, "magento-order:4711", holder) as lease:
            if await lease.mine():
                await write()
    """

    def __init__(
        self, database: Database, name: str, holder: str, *, pause: float = 0.0, seconds: float = SECONDS
    ) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._patience = pause + STUCK
        self._seconds = seconds
        self._asked_at = self._runs_until = -1.0
        self._asked_for = self._given_back = False
        self._statement = threading.Lock()
        self._renewing: asyncio.Task[None] | None = None

    async def mine(self) -> bool:
        """Return whether the holder has the lease, which it takes where nobody has it.

        The database is asked only where half of the lease has gone by since it last agreed: the first time, after a
        freeze, and where the lease could not be renewed.

        Raises
        ------
        Failure
            The database is away.
        """
        self._asked_at = time.monotonic()
        if self._asked_at < self._runs_until - self._seconds / 2:
            return True
        if not await asyncio.to_thread(self._hold):
            return False
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name=f"lease {self._name}")
        return True

    async def give_back(self) -> None:
        """End the lease for good, so that nobody has to wait until it runs out.

        Without a database it does run out; that is no failure of what was done under it.
        """
        if self._renewing is not None:
            self._renewing.cancel()
        with suppress(Failure):
            await asyncio.to_thread(self._free)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.give_back()

    async def _renew(self) -> None:
        while time.monotonic() < self._asked_at + self._patience:
            await asyncio.sleep(self._seconds / 3)
            with suppress(Failure):
                if not await asyncio.to_thread(self._hold):
                    return

    def _hold(self) -> bool:
        # A statement goes on in its thread though whoever awaits it is cancelled: it must not come after the last one.
        with self._statement:
            if self._given_back:
                return False
            asked_at = time.monotonic()
            self._asked_for = True
            held = lease.hold(self._database, self._name, self._holder, self._seconds)
            self._runs_until = asked_at + self._seconds if held else -1.0
            return held

    def _free(self) -> None:
        with self._statement:
            self._given_back = True
            self._runs_until = -1.0
            if self._asked_for:
                lease.free(self._database, self._name, self._holder)
