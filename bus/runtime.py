"""The services of one process on one connection: started, watched and stopped together."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future

from bus.config import BrokerConfig
from bus.connection import Connection
from bus.lane import Lane
from bus.memory import MemoryConnection
from bus.metrics import Metrics
from bus.poller import Poller
from bus.runner import Runner, Setting
from bus.service import Row, Service
from schemas.failures import Outage

_LOOK = 0.01
"""Seconds between two looks whether everything in hand is finished."""


class Runtime:
    """Services at work in this process.

    Parameters
    ----------
    services:
        Those that run here.
    table:
        The rows of all services, here or elsewhere: what this process publishes must find their queues.
    config:
        The broker.

    Examples
    --------
    ::

        runtime = Runtime(services, table, config)
        await runtime.start()
        await until_told_to_stop()
        await runtime.stop()
    """

    def __init__(self, services: Sequence[Service], table: Sequence[Row], config: BrokerConfig) -> None:
        self._services = services
        self._table = table
        self._config = config
        kind = MemoryConnection if config.embedded else Connection
        self._connection = kind(config, [service.row for service in services], table)
        self.metrics = Metrics(lambda: self._connection.connected)
        """What the services count, for a Prometheus registry."""
        self._runners: list[Runner] = []
        self._lanes: list[Lane] = []
        self._polls: list[asyncio.Task[None]] = []
        self._started = False
        self._stopping = False

    async def start(self) -> None:
        """Connect, declare what may be declared, and take messages in.

        Returns once the broker is connected; whether all queues are there, `problems` tells.

        Raises
        ------
        schemas.failures.Outage
            No broker answered in time.
        schemas.failures.Permanent
            The broker refuses the user, or has a queue of the same name with other properties.
        """
        loop = asyncio.get_running_loop()
        connection = self._connection
        setting = Setting(self._table, self._config, self.metrics, loop, connection.inbox)
        for service in self._services:
            runner = Runner(service, setting)
            lane = connection.lane(service.row.queue, runner.receive, self.metrics.confirmed)
            runner.lane = lane
            runner.start()
            self._runners.append(runner)
            self._lanes.append(lane)
        self._started = True
        connection.start()
        try:
            await asyncio.wrap_future(connection.ready)
        except BaseException:
            connection.close()
            raise
        for service, lane in zip(self._services, self._lanes, strict=True):
            if service.poll is not None:
                poller = Poller(service, lane, setting, self.problems)
                self._polls.append(loop.create_task(poller.run(), name=f"poll {service.row.name}"))

    async def stop(self) -> None:
        """Take no more messages in, finish what is in hand, have it confirmed and acknowledged, and disconnect.

        What is not finished after `bus.config.BrokerConfig.stop_timeout` is delivered again to somebody else.
        """
        if not self._started or self._stopping:
            return
        self._stopping = True
        until = time.monotonic() + self._config.stop_timeout
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        for runner in self._runners:
            self._connection.inbox.post(runner.stop)
        told: Future[None] = Future()
        self._connection.inbox.post(lambda: told.set_result(None))
        while time.monotonic() < until and self._connection.connected:
            if told.done() and all(lane.idle for lane in self._lanes):
                break
            await asyncio.sleep(_LOOK)
        self._connection.close()
        for runner in self._runners:
            runner.close()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asyncio.wrap_future(self._connection.ended), 2 * self._config.connect_timeout)

    def problems(self) -> list[str]:
        """Return why this process is not ready, in sentences; empty when it is."""
        if not self._started or self._stopping:
            return ["The services are not running."]
        return self._connection.problems()

    def alive(self) -> bool:
        """Whether the I/O thread turns; if it does not, the process should be restarted."""
        return not self._started or self._stopping or self._connection.alive()

    async def failed(self) -> Exception:
        """Return, once it comes to that, what keeps the services from ever going on; the process should end then."""
        try:
            await asyncio.shield(asyncio.wrap_future(self._connection.ended))
        except Exception as crash:  # noqa: BLE001 - returned
            return crash
        return Outage("The bus was stopped.", "Start it again.")
