"""The I/O thread: it alone owns the connection to RabbitMQ.

A turn of the thread waits for the socket or for a wake-up, then

1. runs what other threads posted (outputs to publish, messages to acknowledge) and the timers that are due,
2. reads what is there and gives each frame to its lane (or to py-amqp),
3. hands each lane's deliveries of this turn to its service,
4. adds the acknowledgements that are due, and sends all of it at once.

No handler that may block runs here, so heartbeats are sent whatever the handlers do.
"""

import itertools
import logging
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import amqp

from bus import topology
from bus.config import BrokerConfig, address
from bus.frames import Incoming
from bus.inbox import Inbox
from bus.lane import AmqpLane, Lane
from bus.service import Row
from bus.transport import Transport, client, socket_settings
from schemas.failures import Failure, Outage, Permanent

log = logging.getLogger(__name__)

_LONGEST_WAIT = 1.0
"""Seconds between two turns when nothing happens."""
_FIRST_PAUSE = 0.25
"""Seconds before the first attempt to reconnect; doubled with each further one, and scattered by half."""
_SETTLED = 10.0
"""Seconds after which a connection counts as good, and its loss is followed by the shortest pause again."""
_LANE_PAUSE = 1.0
"""Seconds before a channel is opened again."""


class Connection:
    """The connection of a process, and the thread that owns it.

    Parameters
    ----------
    config:
        Where the broker is.
    rows:
        The services that run in this process.
    table:
        All services, for what must be there before anything is published.
    """

    def __init__(self, config: BrokerConfig, rows: Sequence[Row], table: Sequence[Row]) -> None:
        self.inbox = Inbox()
        self.ready: Future[None] = Future()
        """Done with the first connection; holds a `Failure` when there can be none."""
        self.ended: Future[None] = Future()
        """Done when the thread has ended; holds the exception that ended it, if one did."""
        self._config = config
        self._own = topology.topology(rows, config)
        self._needed = topology.needed(rows, table, config)
        self._name = " ".join(row.name for row in rows)
        self._lanes: list[AmqpLane] = []
        self._client: Any = None
        self._amqp: Any = None
        self._control: Any = None
        self._down: Failure | None = Outage("The broker is not connected yet.", "Wait a moment.")
        self._missing: list[str] = []
        self._blocked = False
        self._closing = False
        self._turned_at = time.monotonic()
        self._thread = threading.Thread(target=self._main, name="orderbus-io", daemon=True)

    def lane(self, queue: str, receive: Callable[[list[Incoming]], None], confirmed: Callable[[float], None]) -> Lane:
        """Return a channel for a service, before the start; see `bus.lane.AmqpLane`."""
        lane = AmqpLane(queue, receive, confirmed, self._retire)
        self._lanes.append(lane)
        return lane

    def start(self) -> None:
        """Start the thread; `ready` tells when it has connected."""
        self._thread.start()

    def close(self) -> None:
        """Have the connection closed and the thread end; `ended` tells when it has."""
        self._closing = True
        self.inbox.post(lambda: None)

    def alive(self) -> bool:
        """Whether the thread turns."""
        patience = 10 + 4 * self._config.connect_timeout
        return self._thread.is_alive() and time.monotonic() - self._turned_at < patience

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._down is None

    def problems(self) -> list[str]:
        """Return why nothing may be published now, in sentences; empty when all is well."""
        down = self._down
        if down is not None:
            return [str(down)]
        found = [f"{name} is missing on the broker. {topology.APPLY}" for name in list(self._missing)]
        if self._blocked:
            found.append("The broker takes no messages: it is short of memory or of disk space.")
        found += [f"{lane.queue} is out of service: {lane.problem}." for lane in self._lanes if lane.problem]
        return found

    def _retire(self, lane: AmqpLane, reason: str) -> None:
        """Open a lane's channel again after a pause."""
        log.warning("The channel of %s will be opened again: %s.", lane.queue, reason)
        self.inbox.call_later(_scattered(_LANE_PAUSE), lambda: self._revive(lane))

    # The life of the thread

    def _main(self) -> None:
        try:
            self._live()
        except BaseException as crash:
            log.critical("The broker's I/O thread ended by %s.", type(crash).__name__, exc_info=True)
            self._down = Outage("The broker's I/O thread has ended.", "Restart the process.")
            _resolve(self.ready, crash)
            _resolve(self.ended, crash)
            raise
        else:
            _resolve(self.ready, self._down)
            _resolve(self.ended, None)
        finally:
            self.inbox.close()

    def _live(self) -> None:
        give_up = time.monotonic() + self._config.start_timeout
        pause = _FIRST_PAUSE
        for url in itertools.cycle(self._config.urls):
            since = time.monotonic()
            try:
                self._connect(url)
                _resolve(self.ready, None)
                self._turn()
                self._hang_up()
            except topology.CONNECTION_ERRORS as error:
                self._disconnected(topology.explained(error, url))
            except Permanent as failure:
                self._disconnected(failure)
            hopeless = isinstance(self._down, Permanent) or time.monotonic() > give_up
            if self._closing or (hopeless and not self.ready.done()):
                return
            if time.monotonic() - since > _SETTLED:
                pause = _FIRST_PAUSE
            self._rest(_scattered(pause))
            if url == self._config.urls[-1]:
                pause = min(2 * pause, self._config.reconnect_delay)

    def _connect(self, url: str) -> None:
        self._client = client(
            url,
            transport=Transport,
            ssl=topology.tls(self._config, url),
            heartbeat=self._config.heartbeat,
            connect_timeout=self._config.connect_timeout,
            transport_options={
                "answer_timeout": self._config.connect_timeout,
                "socket_settings": socket_settings(),
                "on_blocked": self._on_blocked,
                "on_unblocked": self._on_unblocked,
                "client_properties": {
                    "connection_name": f"orderbus {self._name} on {socket.gethostname()}",
                    "capabilities": {"publisher_confirms": True, "basic.nack": True},
                },
            },
        )
        # `connect` would try once more by itself on any failure; here every attempt is counted and spaced.
        self._amqp = self._client.transport.establish_connection()
        self._blocked = False
        self._control = self._amqp.channel()
        refused = topology.declare(self._control, self._own)
        if refused:
            log.info("The broker's user may not declare %s: looked for instead.", ", ".join(refused))
        self._missing = topology.missing(
            self._control, exchanges=[exchange.name for exchange in self._own.exchanges], queues=self._needed
        )
        for lane in self._lanes:
            lane.open(self._amqp)
        self._down = None
        self._tell_lanes()
        log.info("Connected to the broker at %s.", address(url))
        self._check_again(self._amqp)

    def _disconnected(self, failure: Failure) -> None:
        level = logging.INFO if type(failure) is type(self._down) else logging.WARNING
        log.log(level, "%s", failure)
        self._down = failure
        connection, self._amqp = self._amqp, None
        if connection is not None:
            connection.collect()
        for lane in self._lanes:
            lane.lose(failure.cause.rstrip("."))

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt to connect, still doing what is posted."""
        until = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.inbox, select.POLLIN)
        while not self._closing and (left := until - time.monotonic()) > 0:
            poll.poll(1000 * self.inbox.patience(min(left, _LONGEST_WAIT)))
            self._turned_at = time.monotonic()
            self.inbox.run()

    def _turn(self) -> None:
        """Turn until the connection is to be closed."""
        connection, transport = self._amqp, self._amqp.transport
        frames = transport.frames
        poll = select.poll()
        poll.register(transport.sock, select.POLLIN)
        poll.register(self.inbox, select.POLLIN)
        writing = False
        while not self._closing:
            to_send = bool(transport.unsent) and not transport.held
            if to_send != writing:
                writing = to_send
                poll.modify(transport.sock, select.POLLIN | (select.POLLOUT if writing else 0))
            if not (transport.more or frames):
                poll.poll(1000 * self.inbox.patience(_LONGEST_WAIT))
            self._turned_at = time.monotonic()
            # First, since it may read frames while it waits for an answer.
            self.inbox.run()
            read = transport.fill()
            while frames:
                try:
                    connection.take(frames.popleft())
                except amqp.ChannelError as error:
                    log.debug("A channel was closed: %s", error)
            for lane in self._lanes:
                lane.hand_out()
            self._watch(transport, connection.heartbeat)
            for lane in self._lanes:
                lane.acknowledge(quiet=not read)
            transport.flush()

    def _watch(self, transport: Any, heartbeat: float) -> None:
        """Keep the connection alive, and notice when it or a confirm no longer comes."""
        now = self._turned_at
        if heartbeat:
            if now - transport.spoke > heartbeat / 2:
                transport.beat()
            if now - transport.heard > 2 * heartbeat:
                raise ConnectionResetError("no sign of life for two heartbeats")
        if self._blocked:
            return
        for lane in self._lanes:
            since = lane.waited_since()
            if since is not None and now - since > self._config.confirm_timeout:
                lane.abandon(f"the broker did not confirm a message within {self._config.confirm_timeout:g} s")

    def _hang_up(self) -> None:
        """Close the connection in good order; what was to be sent is sent first."""
        if self._blocked:
            self._amqp.collect()
        else:
            self._amqp.close()
        self._down = Outage("The bus was stopped.", "Start it again.")
        for lane in self._lanes:
            lane.lose("the bus was stopped")

    # The broker's state

    def _on_blocked(self, _reason: str) -> None:
        self._blocked = self._amqp.transport.held = True
        log.warning("The broker takes no messages: it is short of memory or of disk space. Work is held.")
        self._tell_lanes()

    def _on_unblocked(self) -> None:
        self._blocked = self._amqp.transport.held = False
        log.warning("The broker takes messages again.")
        self._tell_lanes()

    def _check_again(self, connection: Any) -> None:
        def check() -> None:
            if self._amqp is connection:
                self._look()
                self._check_again(connection)

        self.inbox.call_later(self._config.check_interval, check)

    def _look(self) -> None:
        """Look whether the queues are there, and declare one's own that are not."""
        if self._blocked:
            return
        missing = topology.missing(self._control, queues=self._needed)
        if missing:
            topology.declare(self._control, self._own)
            missing = topology.missing(self._control, queues=self._needed)
        if missing != self._missing:
            for name in missing:
                log.error("%s is missing on the broker: work is held. %s", name, topology.APPLY)
            if not missing:
                log.warning("All queues are there again.")
            self._missing = missing
            self._tell_lanes()

    def _revive(self, lane: AmqpLane) -> None:
        if self._amqp is not None and lane.problem:
            self._look()
            lane.open(self._amqp)

    def _tell_lanes(self) -> None:
        for lane in self._lanes:
            lane.gate(is_open=not (self._missing or self._blocked))


def _scattered(seconds: float) -> float:
    """Return a pause that differs from process to process, so that they do not all come back at once."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def _resolve(future: "Future[None]", outcome: BaseException | None) -> None:
    if future.done():
        return
    if outcome is None:
        future.set_result(None)
    else:
        future.set_exception(outcome)
