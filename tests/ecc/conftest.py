"""Fixtures: a simulated ECC on a real socket, in a thread of its own, since the handlers under test block."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from adapters.ecc.config import EccConfig
from adapters.ecc.connect import open_sessions
from adapters.ecc.sessions import Sessions
from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.server import Simulator
from tests.ecc.examples import CONFIG
from tests.processes import wait_until


class Ecc:
    """A running simulator and what tests do to it."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._simulator = Simulator(config)
        self.url = self._run(self._simulator.start())

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._run(self._simulator.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)
            self._loop.close()

    def configure(self, **changes: Any) -> EccConfig:
        """Return the tests' configuration, for this simulator."""
        return replace(CONFIG, connection=replace(CONFIG.connection, url=self.url), **changes)

    def request(self, path: str, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/_simulator/{path}", data=data), timeout=30
        ) as got:
            return json.load(got)

    def arm(self, *faults: Any) -> None:
        self.request("faults", list(faults))

    def counts(self) -> Any:
        return self.request("counts")

    def sales_orders(self, key: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.request(f"sales-orders?key={key}" if key else "sales-orders")["items"]
        return found

    def pending(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.request("pending-orders")["items"]
        return found

    def wait_for_updates(self) -> None:
        """Wait until no update task is at work and no session holds a lock."""
        wait_until(lambda: not self.counts()["update_requests"] and not self.counts()["locks"], "ECC's updates end")


@pytest.fixture
def start_ecc() -> Iterator[Callable[..., Ecc]]:
    """Yield what starts a simulated ECC; all are stopped afterwards."""
    started: list[Ecc] = []

    def start(**config: Any) -> Ecc:
        started.append(Ecc(SimulatorConfig(**config)))
        return started[-1]

    yield start
    for ecc in started:
        ecc.stop()


@pytest.fixture
def ecc(start_ecc: Callable[..., Ecc]) -> Ecc:
    """Return a simulated ECC."""
    return start_ecc()


@pytest.fixture
def sessions(ecc: Ecc) -> Iterator[Sessions]:
    """Yield a pool of sessions with it."""
    pool = open_sessions(ecc.configure())
    yield pool
    pool.close()
