"""The pace at which one process calls the shop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pace:
    """Lets so many requests run at once, and so many begin per second.

    Parameters
    ----------
    concurrency:
        Requests in flight at once.
    per_second:
        Requests begun per second, spread evenly; 0 sets no limit.
    """

    def __init__(self, concurrency: int, per_second: float) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._spacing = 1 / per_second if per_second else 0.0
        self._next_start = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and keep it while the request runs."""
        async with self._slots:
            now = time.monotonic()
            start = max(self._next_start, now)
            self._next_start = start + self._spacing
            if start > now:
                await asyncio.sleep(start - now)
            yield

    def pause(self, seconds: float) -> None:
        """Let no request begin for a while: the shop asked for it."""
        self._next_start = max(self._next_start, time.monotonic() + seconds)
