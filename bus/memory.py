"""The broker inside the process, over kombu's ``memory://``: for the demo and for trying things out.

The services, the retries, the dead letters and the order of things are the same as on RabbitMQ, but its messages die
with the process. What it does not promise is listed in `NOT_PROMISED`; whoever runs on it keeps the truth elsewhere.

kombu's transport keeps its queues in a class and hands the same message object to every queue it is routed to. So
each connection has a transport class of its own, each service a channel of its own, and all of it is used by one
thread.
"""

import logging
import select
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import Empty
from typing import Any

from kombu.transport import memory, virtual

from bus import topology
from bus.config import BrokerConfig
from bus.frames import Incoming, Outgoing
from bus.inbox import Inbox
from bus.lane import Done, Lane
from bus.service import Row
from bus.transport import client
from schemas.failures import Transient

log = logging.getLogger(__name__)

NOT_PROMISED = {
    "survives a crash": "Messages die with the process.",
    "several processes": "Nobody outside the process sees its messages.",
    "reconnects": "There is no connection that could be lost, blocked or refused.",
    "delivery limit": "A message that kills its process is gone with it.",
    "dead letters can be sent again": "They are held until the process ends, and `orderbus dead` needs a broker.",
}
"""What RabbitMQ promises and this does not, and why."""

_LONGEST_WAIT = 1.0
_TURN = 200
"""Deliveries taken before the turn goes on to other work."""


class MemoryConnection:
    """A broker of the process's own, and the thread that is its only user; the same seam as `bus.connection`."""

    def __init__(self, config: BrokerConfig, rows: Sequence[Row], table: Sequence[Row]) -> None:
        self.inbox = Inbox()
        self.ready: Future[None] = Future()
        self.ended: Future[None] = Future()
        self._config = config
        self._own = topology.topology(rows, config)
        here = {row.queue for row in rows}
        self._missing = [
            name
            for name in topology.needed(rows, table, config)
            if name not in here and name not in {queue.name for queue in self._own.queues}
        ]
        self._retries = {topology.retry_name(seconds): seconds for seconds in config.retry_delays}
        self._lanes: list[MemoryLane] = []
        self._client: Any = None
        self._closing = False
        self._turned_at = time.monotonic()
        self._thread = threading.Thread(target=self._main, name="orderbus-memory", daemon=True)

    def lane(self, queue: str, receive: Callable[[list[Incoming]], None], confirmed: Callable[[float], None]) -> Lane:
        """Return a channel for a service, before the start."""
        lane = MemoryLane(queue, receive, confirmed, self._retries, self.inbox)
        self._lanes.append(lane)
        return lane

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Have the thread end, and all messages with it."""
        self._closing = True
        self.inbox.post(lambda: None)

    def alive(self) -> bool:
        """Whether the thread turns."""
        return self._thread.is_alive() and time.monotonic() - self._turned_at < 10

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self.ready.done() and not self.ended.done()

    def problems(self) -> list[str]:
        """Return why nothing may be published now, in sentences."""
        if not self.connected:
            return ["The embedded broker is not running."]
        return [f"{name} is missing: memory:// needs every service in one process." for name in self._missing]

    def _main(self) -> None:
        try:
            self._open()
            self.ready.set_result(None)
            self._turn()
        except BaseException as crash:
            log.critical("The embedded broker ended by %s.", type(crash).__name__, exc_info=True)
            if not self.ready.done():
                self.ready.set_exception(crash)
            self.ended.set_exception(crash)
            raise
        else:
            self.ended.set_result(None)
        finally:
            self._client.release()
            self.inbox.close()

    def _open(self) -> None:
        self._client = client("memory://", transport=_private_transport(), transport_options={"body_encoding": None})
        topology.declare(self._client.default_channel, self._own)
        for lane in self._lanes:
            lane.open(self._client, is_open=not self._missing)

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self.inbox, select.POLLIN)
        busy = False
        while not self._closing:
            if not busy:
                # Messages come from this thread's own publishes alone: there is nothing to poll for.
                poll.poll(1000 * self.inbox.patience(_LONGEST_WAIT))
            self._turned_at = time.monotonic()
            self.inbox.run()
            busy = self._drain()
            for lane in self._lanes:
                lane.hand_out()

    def _drain(self) -> bool:
        """Take deliveries; return whether there may be more."""
        for _ in range(_TURN):
            try:
                self._client.drain_events(timeout=0)
            except (TimeoutError, Empty):
                return any(lane.has_fresh for lane in self._lanes)
        return True


class MemoryLane:
    """A service's channel; see `bus.lane.Lane`."""

    def __init__(
        self,
        queue: str,
        receive: Callable[[list[Incoming]], None],
        confirmed: Callable[[float], None],
        retries: dict[str, int],
        inbox: Inbox,
    ) -> None:
        self.epoch = 1
        self._queue = queue
        self._receive = receive
        self._confirmed = confirmed
        self._retries = retries
        self._inbox = inbox
        self._channel: Any = None
        self._open_gate = False
        self._wanted = 0
        self._consuming = False
        self._fresh: list[Incoming] = []
        self._unsettled: dict[int, Any] = {}
        self._last = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in hand."""
        return not self._unsettled

    @property
    def has_fresh(self) -> bool:
        """Whether deliveries wait to be handed out."""
        return bool(self._fresh)

    def open(self, client: Any, *, is_open: bool) -> None:
        """Open the channel."""
        self._channel = client.channel()
        self._open_gate = is_open
        self.consume(self._wanted)

    def consume(self, prefetch: int) -> None:
        """Take messages in, so many ahead of their acknowledgement; 0 takes none."""
        self._wanted = prefetch
        if self._channel is None or not self._open_gate:
            return
        if self._consuming and not prefetch:
            self._channel.basic_cancel(self._queue)
        self._channel.basic_qos(0, prefetch, False)
        if prefetch and not self._consuming:
            self._channel.basic_consume(self._queue, False, self._take, self._queue)
        self._consuming = bool(prefetch)

    def _take(self, message: Any) -> None:
        self._last += 1
        self._unsettled[self._last] = message.delivery_tag
        info = message.delivery_info
        raw = message.properties["raw"]
        self._fresh.append(
            Incoming(self._last, info["exchange"], info["routing_key"], raw, message.body or b"", self.epoch)
        )

    def hand_out(self) -> None:
        """Give what was delivered to the service."""
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            self._receive(fresh)

    def publish(self, batch: Sequence[Outgoing], done: Done) -> None:
        """Put messages into their queues; one for the retry ladder, into its queue again after the delay."""
        problem = None
        for outgoing in batch:
            started = time.monotonic()
            seconds = self._retries.get(outgoing.exchange)
            if seconds is not None:
                self._inbox.call_later(seconds, partial(self._put_back, outgoing))
            elif not self._put(outgoing, outgoing.exchange) and outgoing.must_route:
                problem = Transient(
                    f"No queue takes {outgoing.routing_key!r} on {outgoing.exchange}.",
                    "Run the service that takes it in the same process.",
                )
            self._confirmed(time.monotonic() - started)
        done(problem)

    def _put(self, outgoing: Outgoing, exchange: str) -> bool:
        """Route a message; return whether any queue took it, which kombu's transport does not tell."""
        channel = self._channel
        kind = channel.typeof(exchange)
        if not kind.lookup(channel.get_table(exchange), exchange, outgoing.routing_key, None):
            return False
        message = channel.prepare_message(outgoing.body, properties={"raw": outgoing.properties})
        channel.basic_publish(message, exchange, outgoing.routing_key)
        return True

    def _put_back(self, outgoing: Outgoing) -> None:
        self._put(outgoing, topology.REQUEUE)

    def settle(self, incoming: Incoming) -> None:
        """Have a message acknowledged."""
        tag = self._unsettled.pop(incoming.tag, None)
        if tag is not None:
            self._channel.basic_ack(tag)

    def refuse(self, incoming: Incoming) -> None:
        """Put a message that cannot be published as it is among the dead letters, as it is."""
        self._put(
            Outgoing(topology.DEAD, self._queue, incoming.properties, incoming.body, ""),
            topology.DEAD,
        )
        self.settle(incoming)

    def abandon(self, reason: str) -> None:
        """Report that a message could not be put anywhere; it stays unsettled."""
        log.error("%s: %s.", self._queue, reason)


def _private_transport() -> type[memory.Transport]:
    """Return a transport class whose queues nobody shares."""

    class Channel(memory.Channel):
        queues: dict[str, Any] = {}  # noqa: RUF012 - kombu keeps them there

    class Transport(memory.Transport):
        global_state = virtual.BrokerState()  # type: ignore[no-untyped-call]

    Transport.Channel = Channel
    return Transport
