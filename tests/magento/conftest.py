"""Fixtures of the Magento adapter's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from adapters.magento.client import Answer, Client
from adapters.magento.config import Bearer, MagentoConfig
from adapters.magento.shop import Shop
from adapters.magento.signing import Pairs
from adapters.magento.simulator.config import ATTRIBUTES, SimulatorConfig
from adapters.magento.simulator.server import Simulator
from state.database import Database, open_database
from state.migrations import migrate
from tests.databases import database, database_url, empty_database
from tests.magento.stage import Stage, staged
from tests.magento.world import World

__all__ = ["database", "database_url", "empty_database"]


class ListingClient(Client):
    """A client that lists what it is asked to send."""

    requests: list[str]

    async def send(
        self, method: str, path: str, parameters: Pairs = (), body: Any = None, *, repeatable: bool = False
    ) -> Answer:
        """List and send."""
        self.requests.append(f"{method} {path}")
        return await super().send(method, path, parameters, body, repeatable=repeatable)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Yield a web server that answers as the test tells it to."""
    async with staged() as served:
        yield served


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Callable[..., Client]]:
    """Return a factory of clients of the stage."""
    made: list[Client] = []

    def make(**settings: Any) -> Client:
        config = MagentoConfig(**{"url": stage.url, "auth": Bearer(token="a-token"), "retries": 0, **settings})
        made.append(Client(config))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
async def worlds() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Return a factory of simulated shops."""
    async with AsyncExitStack() as running:

        async def make(**settings: Any) -> World:
            return World(await running.enter_async_context(Simulator(SimulatorConfig(**settings))))

        yield make


@pytest.fixture
async def world(worlds: Callable[..., Awaitable[World]]) -> World:
    """Return an empty simulated shop."""
    return await worlds()


@pytest.fixture
async def shop_of() -> AsyncIterator[Callable[..., Shop]]:
    """Return a factory of the adapter's view of a simulated shop."""
    made: list[Shop] = []

    def make(world: World, **settings: Any) -> Shop:
        config = world.config(**settings)
        client = ListingClient(config)
        client.requests = world.requests
        made.append(Shop(config, client))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def make_shop(world: World, shop_of: Callable[..., Shop]) -> Callable[..., Shop]:
    """Return a factory of the adapter's view of the shop."""
    return lambda **settings: shop_of(world, **settings)


@pytest.fixture
def world_without(worlds: Callable[..., Awaitable[World]]) -> Callable[[str], Awaitable[World]]:
    """Return a factory of shops that lack a customer attribute."""

    async def make(code: str) -> World:
        return await worlds(customer_attributes=tuple(one for one in ATTRIBUTES if one != code))

    return make


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """Yield a database with every table."""
    made = open_database(f"sqlite:///{tmp_path}/bus.db")
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def count() -> Callable[..., float]:
    """Return what reads a metric."""

    def read(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    return read
