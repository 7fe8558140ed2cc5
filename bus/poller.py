"""Runs a poller: looks for something new, publishes it, waits, and looks again."""

import asyncio
import logging
import random
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from bus.codec import Encoder
from bus.frames import Outgoing
from bus.lane import Lane
from bus.runner import Setting
from bus.service import Service
from schemas.envelope import Publication
from schemas.failures import Failure, Outage, Transient

log = logging.getLogger(__name__)

_WINDOW = 200
"""Messages that are published before waiting for their confirms."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0
"""Seconds between two polls that fail; doubled from the first to the longest, and scattered by a quarter."""
_READY_PAUSE = 0.2


class Poller:
    """A service's poll, again and again.

    Parameters
    ----------
    problems:
        Tells why nothing may be published; there is no poll while there is a reason.
    """

    def __init__(self, service: Service, lane: Lane, setting: Setting, problems: Callable[[], Sequence[str]]) -> None:
        self._name = service.row.name
        self._poll = service.poll
        self._encoder = Encoder(service.row, setting.table, setting.config.max_message_bytes)
        self._lane = lane
        self._inbox = setting.inbox
        self._metrics = setting.metrics
        self._problems = problems

    async def run(self) -> None:
        """Poll until cancelled; between two awaits of a poll nothing is lost by that, as by a crash."""
        if self._poll is None:
            return
        pause = _FIRST_PAUSE
        while True:
            if self._problems():
                await asyncio.sleep(_READY_PAUSE)
                continue
            try:
                wait = await self._poll(self.publish)
                pause = _FIRST_PAUSE
            except Failure as failure:
                wait = max(pause * random.uniform(0.75, 1.25), _asked(failure))  # noqa: S311 - no secret
                pause = min(2 * pause, _LONGEST_PAUSE)
                log.warning("%s could not poll, and will again in %.0f s: %s", self._name, wait, failure)
                self._metrics.poll_failures[self._name] += 1
            except Exception as error:  # noqa: BLE001 - a poll that fails is followed by another
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("%s could not poll: %s\n%s", self._name, type(error).__name__, where)  # noqa: TRY400
                self._metrics.poll_failures[self._name] += 1
            await asyncio.sleep(wait)

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish, and return once the broker has confirmed all.

        Raises
        ------
        Transient
            It did not: none of it may be taken for published.
        Permanent
            A message is too large.
        """
        for start in range(0, len(publications), _WINDOW):
            window = [self._encoder.first(publication) for publication in publications[start : start + _WINDOW]]
            problems = self._problems()
            if problems:
                raise Transient("Nothing can be published now.", problems[0])
            await self._confirmed(window)

    async def _confirmed(self, window: list[Outgoing]) -> None:
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()

        def ended(problem: Failure | None) -> None:
            if problem is None:
                for outgoing in window:
                    self._metrics.published[self._name, outgoing.routing_key] += 1
            loop.call_soon_threadsafe(_resolve, confirmed, problem)

        self._inbox.post(partial(self._lane.publish, window, ended))
        await confirmed


def _asked(failure: Failure) -> float:
    """Return the seconds that the other side asked for; who names a time while it is down, guesses."""
    asked = failure.retry_after or 0.0 if isinstance(failure, Transient) else 0.0
    return min(asked, _LONGEST_PAUSE) if isinstance(failure, Outage) else asked


def _resolve(future: "asyncio.Future[None]", problem: Failure | None) -> None:
    if future.done():
        return
    if problem is None:
        future.set_result(None)
    else:
        future.set_exception(problem)
