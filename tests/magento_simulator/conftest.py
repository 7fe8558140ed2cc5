"""Simulated shops for the tests, on real sockets."""

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from adapters.magento.simulator.config import SimulatorConfig
from adapters.magento.simulator.server import Simulator

from .replay import Client, body, searched_orders


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def start(http: aiohttp.ClientSession) -> AsyncIterator[Callable[..., object]]:
    """Yield a function that starts a shop by its configuration and returns a client of it."""
    started: list[Simulator] = []

    async def starting(**settings: object) -> Client:
        simulator = Simulator(SimulatorConfig(**settings))
        await simulator.start()
        started.append(simulator)
        return Client(http, simulator)

    yield starting
    for simulator in started:
        await simulator.stop()


@pytest.fixture
async def shop(start: Callable[..., object]) -> Client:
    """Return a client of an empty shop."""
    return await start()


@pytest.fixture
async def recorded(shop: Client) -> Client:
    """Return a client of a shop that holds the twelve orders and the customer of the recorded searches."""
    for order in searched_orders():
        shop.simulator.take_order(order)
    shop.simulator.take_customer(body("customers/get"))
    for kind in ("invoices", "shipments", "creditmemos"):
        for doc in body(f"lifecycle/{kind}")["items"]:
            shop.simulator.shop.state.put(f"sales_{kind[:-1]}", doc, ("entity_id", "order_id"))
    return shop
