"""Publishing from a command, as the service would: on its row, confirmed, and only while every queue is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.service import Service
from orderbus.services import RECONCILE, TABLE
from schemas.envelope import Publish
from schemas.failures import Outage


@asynccontextmanager
async def publishing(config: BrokerConfig) -> AsyncIterator[Publish]:
    """Yield what publishes, and disconnect afterwards.

    Raises
    ------
    Outage
        No broker answers, or it lacks a queue.
    Permanent
        The broker refuses the user.
    """
    given: asyncio.Future[Publish] = asyncio.get_running_loop().create_future()

    async def poll(publish: Publish) -> float:
        if not given.done():
            given.set_result(publish)
        return config.start_timeout

    runtime = Runtime([Service(RECONCILE, {}, poll=poll)], TABLE, config)
    await runtime.start()
    try:
        try:
            publish = await asyncio.wait_for(given, config.start_timeout)
        except TimeoutError:
            problems = runtime.problems() or ["The broker takes no messages."]
            raise Outage(problems[0], "Nothing was compared; look at `orderbus topology check`.") from None
        yield publish
    finally:
        await runtime.stop()
