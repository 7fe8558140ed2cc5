"""What happens to a message: decoded, handled, its outputs published, and only then acknowledged.

    received -> handler -> outputs published -> all confirmed -> acknowledged
                   |               |
                   +--- failed ----+--> retry ladder or dead letters, confirmed -> acknowledged

The handler runs where its service says (`bus.service.Service.runs`); all else runs on the I/O thread.
"""

import asyncio
import inspect
import logging
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from msgspec import Struct

from bus import codec, retry
from bus.breaker import Breaker
from bus.config import BrokerConfig
from bus.frames import Incoming, Outgoing
from bus.headers import read_headers
from bus.inbox import Inbox
from bus.lane import Lane
from bus.metrics import Metrics
from bus.service import Row, Service
from schemas.envelope import Envelope, Handler, Message
from schemas.failures import Failure, Outage
from schemas.messages import Body
from schemas.topics import TOPIC_OF

log = logging.getLogger(__name__)

correlation: ContextVar[str] = ContextVar("orderbus_correlation", default="")
"""Correlation id of the message in hand, for log lines; set for handlers in threads and for coroutines."""


class Result(Struct):
    """What came of one call of a handler."""

    type_name: str = ""
    outputs: Sequence[Outgoing] = ()
    error: Exception | None = None
    seconds: float = 0.0


class Setting(Struct, frozen=True):
    """What the services of a process share."""

    table: Sequence[Row]
    """All services, here or elsewhere."""
    config: BrokerConfig
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    """Where coroutine handlers run."""
    inbox: Inbox
    """The I/O thread's."""


class Runner:
    """One service at work."""

    def __init__(self, service: Service, setting: Setting) -> None:
        self.lane: Lane
        """Set by whoever makes the lane, before the first message."""
        self._row = service.row
        self._runs = service.runs
        self._concurrency = service.concurrency
        self._prefetch = service.prefetch or (_INLINE_PREFETCH if service.runs == "inline" else service.concurrency)
        self._config = config = setting.config
        self._metrics = metrics = setting.metrics
        self._loop = setting.loop
        self._inbox = setting.inbox
        self._encoder = codec.Encoder(service.row, setting.table, config.max_message_bytes)
        self._handlers: dict[type[Body], Handler[Any]] = dict(service.handlers)
        self._accepts = frozenset(TOPIC_OF[body].type_name for body in service.handlers)
        self._breaker = Breaker(config.breaker_delays)
        self._stopping = False
        self._waiting: deque[tuple[Incoming, int]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._threads = (
            ThreadPoolExecutor(service.concurrency, thread_name_prefix=f"orderbus-{service.row.name}")
            if service.runs == "threads"
            else None
        )
        metrics.circuits[service.row.name] = False

    def start(self) -> None:
        """Take messages in; on the I/O thread, or before it runs."""
        if self._handlers:
            self.lane.consume(self._prefetch)

    def stop(self) -> None:
        """Take no more messages in, and finish what is in hand; on the I/O thread."""
        self._stopping = True
        self.lane.consume(0)

    def close(self) -> None:
        """Drop what is still in hand; on the event loop's thread."""
        for task in self._running:
            task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    # Handing out

    def receive(self, batch: list[Incoming]) -> None:
        """Take the deliveries of one turn."""
        begun = self._breaker.round
        if self._breaker.state == "open":
            for incoming in batch:
                self._defer(incoming)
        elif self._runs == "inline":
            for incoming in batch:
                self._finish(incoming, begun, self._handle(incoming, begun))
        elif self._threads is not None:
            for incoming in batch:
                self._threads.submit(self._in_thread, incoming, begun)
        else:
            self._loop.call_soon_threadsafe(self._on_loop, batch, begun)

    def _in_thread(self, incoming: Incoming, begun: int) -> None:
        result = self._handle(incoming, begun)
        self._inbox.post(lambda: self._finish(incoming, begun, result))

    def _on_loop(self, batch: list[Incoming], begun: int) -> None:
        self._waiting.extend((incoming, begun) for incoming in batch)
        self._start_tasks()

    def _start_tasks(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            task = self._loop.create_task(self._in_task(*self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_tasks()

    async def _in_task(self, incoming: Incoming, begun: int) -> None:
        result = await self._handle_async(incoming, begun)
        self._inbox.post(lambda: self._finish(incoming, begun, result))

    # Handling, on whichever thread

    def _handle(self, incoming: Incoming, begun: int) -> Result:
        result = Result()
        started = perf_counter()
        try:
            self._pass_circuit(begun)
            message = self._decode(incoming, result)
            if self._threads is not None:
                correlation.set(message.envelope.correlation_id)
            bodies = self._handlers[type(message.body)](message)
            result.seconds = perf_counter() - started
            result.outputs = self._encode(message.envelope, bodies)
        except Exception as error:  # noqa: BLE001 - every failure ends at the message that caused it
            result.error = error
            result.seconds = result.seconds or perf_counter() - started
        return result

    async def _handle_async(self, incoming: Incoming, begun: int) -> Result:
        result = Result()
        started = perf_counter()
        try:
            self._pass_circuit(begun)
            message = self._decode(incoming, result)
            correlation.set(message.envelope.correlation_id)
            bodies = self._handlers[type(message.body)](message)
            if inspect.isawaitable(bodies):
                bodies = await bodies
            result.seconds = perf_counter() - started
            result.outputs = self._encode(message.envelope, bodies)
        except Exception as error:  # noqa: BLE001 - every failure ends at the message that caused it
            result.error = error
            result.seconds = result.seconds or perf_counter() - started
        return result

    def _pass_circuit(self, begun: int) -> None:
        """Let no message through that has waited while the circuit opened."""
        if begun != self._breaker.round:
            raise Outage("The service takes no work in.", "Wait for the other system.")

    def _decode(self, incoming: Incoming, result: Result) -> Message[Body]:
        message, deliveries = codec.decode(incoming, self._accepts, self._config.max_message_bytes)
        result.type_name = message.envelope.type
        if deliveries >= self._config.delivery_limit:
            raise retry.overdelivered(deliveries)
        return message

    def _encode(self, cause: Envelope, bodies: Sequence[Body] | Awaitable[Sequence[Body]]) -> Sequence[Outgoing]:
        if inspect.isawaitable(bodies):
            _discard(bodies)
            raise TypeError("a coroutine handler belongs to a service that runs on the loop")
        return self._encoder.caused(cause, bodies) if bodies else ()

    # Settling, on the I/O thread

    def _finish(self, incoming: Incoming, begun: int, result: Result) -> None:
        if result.type_name:
            self._metrics.handler_took(self._row.name, result.type_name, result.seconds)
        if incoming.epoch != self.lane.epoch:
            # Its channel is gone, and the broker delivers it again: what it leads to has the same ids then.
            return
        if result.error is not None:
            self._failed(incoming, begun, result.type_name, result.error)
            return
        if self._breaker.answer(begun):
            self._close_circuit()
        if not result.outputs:
            self._done(incoming, result.type_name)
            return
        outputs = result.outputs

        def published(problem: Failure | None) -> None:
            if incoming.epoch != self.lane.epoch:
                return
            if problem is not None:
                self._failed(incoming, begun, result.type_name, problem)
                return
            for outgoing in outputs:
                self._metrics.published[self._row.name, outgoing.routing_key] += 1
            self._done(incoming, result.type_name)

        self.lane.publish(outputs, published)

    def _done(self, incoming: Incoming, type_name: str) -> None:
        self.lane.settle(incoming)
        self._metrics.handled[self._row.name, type_name, "done"] += 1

    def _failed(self, incoming: Incoming, begun: int, type_name: str, error: Exception) -> None:
        if isinstance(error, Outage):
            self._open_circuit(begun, error)
            self._defer(incoming)
            return
        if self._breaker.answer(begun):
            self._close_circuit()
        verdict = retry.judge(incoming, self._row, error, self._config)
        self._log(incoming, verdict, error)
        if verdict.outgoing is None:
            self.lane.refuse(incoming)
            self._count_failure(type_name, verdict)
            return

        def counted() -> None:
            self._count_failure(type_name, verdict)

        self._hand_over(incoming, verdict.outgoing, counted)

    def _defer(self, incoming: Incoming) -> None:
        """Have a message delivered again after a while without counting an attempt."""
        outgoing = retry.defer(incoming, self._row, self._config)
        if outgoing is None:
            self.lane.refuse(incoming)
            return

        def counted() -> None:
            self._metrics.handled[self._row.name, "", "deferred"] += 1

        self._hand_over(incoming, outgoing, counted)

    def _hand_over(self, incoming: Incoming, outgoing: Outgoing, counted: Callable[[], None]) -> None:
        """Publish a message to the ladder or the dead letters, and settle it once that is confirmed."""

        def published(problem: Failure | None) -> None:
            if incoming.epoch != self.lane.epoch:
                return
            if problem is not None:
                self.lane.abandon(f"{outgoing.exchange} did not take a message over: {problem.cause.rstrip('.')}")
                return
            counted()
            self.lane.settle(incoming)

        self.lane.publish((outgoing,), published)

    def _count_failure(self, type_name: str, verdict: retry.Verdict) -> None:
        if verdict.dead is None:
            self._metrics.retries[self._row.name] += 1
            self._metrics.handled[self._row.name, type_name, "retried"] += 1
        else:
            self._metrics.dead[self._row.name, verdict.dead] += 1
            self._metrics.handled[self._row.name, type_name, "dead-lettered"] += 1

    def _log(self, incoming: Incoming, verdict: retry.Verdict, error: Exception) -> None:
        try:
            identifier, type_name = codec.names(read_headers(incoming.properties))
        except (ValueError, IndexError):
            identifier, type_name = "", ""
        level = logging.INFO if verdict.dead is None else logging.ERROR
        log.log(
            level,
            "%s: %s %s (attempt %d): %s",
            self._row.name,
            "will be tried again" if verdict.dead is None else f"dead-lettered ({verdict.dead})",
            repr(type_name),
            verdict.attempts,
            verdict.failure,
            extra={"message_id": identifier, "service": self._row.name},
        )
        if not isinstance(error, Failure):
            # Frames alone: neither local variables nor the exception's own text, which may quote the message.
            log.error("Where it failed:\n%s", "".join(traceback.format_tb(error.__traceback__)))

    # The circuit

    def _open_circuit(self, begun: int, outage: Outage) -> None:
        seconds = self._breaker.outage(begun)
        if seconds is None:
            return
        # Who names a time while it is down, such as a maintenance page, guesses: one message looks again before that.
        seconds = max(seconds, min(outage.retry_after or 0.0, self._config.breaker_delays[-1]))
        log.warning("%s takes no work in for %g s: %s", self._row.name, seconds, outage)
        self._metrics.circuits[self._row.name] = True
        self.lane.consume(0)
        self._inbox.call_later(seconds, self._try_one)

    def _try_one(self) -> None:
        self._breaker.try_one()
        if not self._stopping:
            self.lane.consume(1)

    def _close_circuit(self) -> None:
        log.warning("%s takes work in again.", self._row.name)
        self._metrics.circuits[self._row.name] = False
        if not self._stopping:
            self.lane.consume(self._prefetch)


_INLINE_PREFETCH = 500
"""Messages in flight that keep a quick handler busy while the broker confirms its outputs."""


def _discard(awaitable: Awaitable[Any]) -> None:
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
