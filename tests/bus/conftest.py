"""A bus to test: services started and stopped, on RabbitMQ or embedded."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from bus import topology
from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.service import Row, Service
from schemas.envelope import Publication, Publish
from tests.bus.sample import SHOP, TABLE


async def until(condition: Callable[[], object], what: str, seconds: float = 40.0) -> None:
    """Wait for a condition without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:g} s: {what} did not come true.")
        await asyncio.sleep(0.01)


class Bus:
    """Services under test and what is needed around them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.feed: asyncio.Queue[list[Publication]] = asyncio.Queue()
        self.confirmed: list[str] = []
        """Ids that the shop's publish returned for."""
        self.refusals: list[str] = []
        """Why the shop's publish did not return."""
        self._runtimes: list[Runtime] = []

    def config(self, **changes: Any) -> BrokerConfig:
        """Return an impatient configuration."""
        usual = {
            "url": self.url,
            "retry_delays": (1, 2),
            "check_interval": 0.2,
            "reconnect_delay": 1.0,
            "stop_timeout": 10.0,
            "breaker_delays": (0.2, 0.4),
        }
        return BrokerConfig(**(usual | changes))

    async def run(self, *services: Service, table: Sequence[Row] = TABLE, **changes: Any) -> Runtime:
        """Start services; they are stopped when the test ends."""
        runtime = Runtime(services, table, self.config(**changes))
        self._runtimes.append(runtime)
        await runtime.start()
        return runtime

    def apply(self, table: Sequence[Row] = TABLE) -> None:
        """Declare the topology of the whole table."""
        topology.apply(self.config(), table)

    def shop(self) -> Service:
        """Return a service that publishes what the test feeds."""
        return Service(SHOP, {}, poll=self._poll)

    async def _poll(self, publish: Publish) -> float:
        publications = await self.feed.get()
        try:
            await publish(publications)
        except BaseException as error:
            self.refusals.append(str(error))
            self.feed.put_nowait(publications)
            raise
        self.confirmed += [publication.id for publication in publications]
        return 0.0

    def place(self, *publications: Publication) -> None:
        """Have the shop publish."""
        self.feed.put_nowait(list(publications))

    async def close(self) -> None:
        """Stop everything."""
        for runtime in self._runtimes:
            await runtime.stop()


@pytest.fixture
async def bus(broker_url: str) -> AsyncIterator[Bus]:
    """Yield a bus on RabbitMQ."""
    bus = Bus(broker_url)
    yield bus
    await bus.close()


@pytest.fixture(params=["rabbitmq", "memory"])
async def any_bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """Yield a bus on each kind of broker."""
    url = request.getfixturevalue("broker_url") if request.param == "rabbitmq" else "memory://"
    bus = Bus(url)
    if request.param == "rabbitmq":
        bus.apply()
    yield bus
    await bus.close()
