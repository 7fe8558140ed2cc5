"""A service's channel: its consumer, the outputs that the broker has not confirmed, the inputs not yet acknowledged.

Each service has a channel to itself, so that whatever closes one (an exchange that is missing, a confirm that never
comes) costs that service a moment and no other. Everything here runs on the I/O thread.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import amqp
from amqp import serialization, spec
from msgspec import Struct

from bus import frames as f
from bus.frames import Incoming, Outgoing
from bus.headers import read_message_id
from schemas.failures import Failure, Transient

Done = Callable[[Failure | None], None]
"""Told once, on the I/O thread, how a batch of publishes ended: ``None`` when the broker has confirmed all of it."""
CONFIRM = "Look at the broker's log and at the free memory and disk space of its nodes."
RECONNECT = "Nothing needs to be done: the bus reconnects by itself and sends again."


class Lane(Protocol):
    """What a service needs of the broker, whichever it is."""

    epoch: int
    """Counts the openings of the channel; a message of an earlier one is delivered again."""

    def publish(self, batch: Sequence[Outgoing], done: Done) -> None:
        """Publish messages that count as one. A batch whose channel is lost is told so, if it asked to be."""

    def settle(self, incoming: Incoming) -> None:
        """Have a message acknowledged, soon."""

    def refuse(self, incoming: Incoming) -> None:
        """Have a message dead-lettered by the broker itself."""

    def consume(self, prefetch: int) -> None:
        """Take messages in, so many ahead of their acknowledgement; 0 takes none."""

    def abandon(self, reason: str) -> None:
        """Give the channel up and open another after a pause: what is unsettled is delivered again."""

    @property
    def idle(self) -> bool:
        """Whether nothing is in hand and nothing waits to be confirmed."""


class Batch(Struct):
    """Publishes that count as one."""

    left: int
    done: Done
    problem: Failure | None = None

    def one_ended(self, problem: Failure | None) -> None:
        """Count one of the publishes; the first problem is the batch's."""
        self.left -= 1
        self.problem = self.problem or problem
        if not self.left:
            self.done(self.problem)


class Sent(Struct):
    """A publish that waits for its confirm."""

    outgoing: Outgoing
    batch: Batch
    at: float
    returned: str = ""
    """Why no queue took it; a return comes before the confirm."""


class Inputs:
    """Deliveries in the order of their tags, acknowledged as a settled prefix.

    >>> inputs = Inputs()
    >>> for tag in (1, 2, 3, 4):
    ...     inputs.take(tag)
    >>> for tag in (1, 2, 4):
    ...     inputs.settle(tag)
    >>> inputs.prefix(), inputs.stragglers(), len(inputs)
    (2, [4], 1)
    """

    __slots__ = ("_settled", "_unsettled")

    def __init__(self) -> None:
        self._unsettled: dict[int, None] = {}
        """In the order of their tags."""
        self._settled: list[int] = []
        """In the order in which they were settled."""

    def __len__(self) -> int:
        return len(self._unsettled) + len(self._settled)

    def take(self, tag: int) -> None:
        """Note a delivery."""
        self._unsettled[tag] = None

    def settle(self, tag: int) -> None:
        """Note that a delivery may be acknowledged."""
        if tag in self._unsettled:
            del self._unsettled[tag]
            self._settled.append(tag)

    def drop(self, tag: int) -> None:
        """Forget a delivery that needs no acknowledgement."""
        self._unsettled.pop(tag, None)

    def prefix(self) -> int:
        """Take out all settled deliveries before the first unsettled one; return the last tag, or 0."""
        first = next(iter(self._unsettled), None)
        ready = self._settled if first is None else [tag for tag in self._settled if tag < first]
        if not ready:
            return 0
        self._settled = [] if first is None else [tag for tag in self._settled if tag > first]
        return max(ready)

    def stragglers(self) -> list[int]:
        """Take out the settled deliveries behind an unsettled one: that one must not hold them back."""
        tags, self._settled = self._settled, []
        return tags


class AmqpLane:
    """A lane over an AMQP channel.

    Parameters
    ----------
    queue:
        The queue it takes messages from.
    receive:
        Given the messages of each turn.
    confirmed:
        Told the seconds that each confirmed publish took.
    retire:
        Has the channel reopened after a pause; told why.
    """

    def __init__(
        self,
        queue: str,
        receive: Callable[[list[Incoming]], None],
        confirmed: Callable[[float], None],
        retire: Callable[["AmqpLane", str], None],
    ) -> None:
        self.queue = queue
        self.epoch = 0
        self.problem = "not connected"
        """Why there is no channel; empty when there is one."""
        self._receive = receive
        self._confirmed = confirmed
        self._retire = retire
        self._connection: Any = None
        self._channel: Any = None
        self._number = 0
        self._open_gate = False
        self._wanted = 0
        self._consuming = 0
        self._consumers = 0
        self._forget()

    def _forget(self) -> None:
        self._contents = f.Contents()
        self._sent: dict[int, Sent] = {}
        self._sequence = 0
        self._inputs = Inputs()
        self._fresh: list[Incoming] = []
        self._postponed: list[tuple[Sequence[Outgoing], Done]] = []
        self._methods: dict[tuple[str, str], bytes] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is in hand and nothing waits to be confirmed."""
        return not (self._inputs or self._sent or self._postponed)

    # The channel

    def open(self, connection: Any) -> None:
        """Open a channel on a connection (of `bus.transport`), in confirm mode."""
        self._forget()
        self.epoch += 1
        self._connection = connection
        self._channel = connection.channel()
        self._number = self._channel.channel_id
        self._channel.confirm_select(nowait=True)
        self._consuming = 0
        connection.routes[self._number] = self.take
        self.problem = ""
        self._reconcile()

    def lose(self, problem: str) -> None:
        """Note that the channel is gone: the broker will deliver its unsettled inputs again."""
        lost, postponed = self._sent, self._postponed
        if self._connection is not None:
            self._connection.routes.pop(self._number, None)
        self._connection = self._channel = None
        self._consuming = 0
        self.epoch += 1
        self.problem = problem
        self._forget()
        failure = Transient(f"The broker did not confirm a message: {problem}.", RECONNECT)
        for sent in lost.values():
            sent.batch.one_ended(failure)
        for _, done in postponed:
            done(failure)

    def abandon(self, reason: str) -> None:
        """Give the channel up and open another after a pause: what is unsettled is delivered again."""
        channel, connection, number = self._channel, self._connection, self._number
        self.lose(reason)
        if channel is not None:
            connection.routes[number] = _deaf
            channel.close()
            connection.routes.pop(number, None)
        self._retire(self, reason)

    # Frames of this channel

    def take(self, kind: int, payload: bytes) -> bool:
        """Handle a frame; return False for one that is py-amqp's business."""
        if kind != f.METHOD:
            complete = self._contents.add(kind, payload)
            if complete is not None:
                self._on_message(*complete)
            return True
        method = payload[:4]
        if method == f.DELIVER or method == f.RETURN:  # noqa: PLR1714 - the hot path
            self._contents.begin(payload)
        elif method == f.ACK:
            self._on_confirm(payload, None)
        elif method == f.NACK:
            self._on_confirm(payload, Transient("The broker refused to take a message over.", CONFIRM))
        elif method == f.CANCEL:
            self._consuming = 0
            self.abandon(f"queue {self.queue} was deleted or has moved")
        elif method == f.CHANNEL_CLOSE:
            self._on_close(payload)
        else:
            return False
        return True

    def _on_message(self, method: bytes, properties: bytes, body: bytes) -> None:
        if method.startswith(f.DELIVER):
            incoming = f.delivered(method, properties, body, self.epoch)
            self._inputs.take(incoming.tag)
            self._fresh.append(incoming)
            return
        reason, exchange, key = f.returned(method)
        identifier = read_message_id(properties)
        for sent in self._sent.values():
            outgoing = sent.outgoing
            if (
                outgoing.message_id == identifier
                and (outgoing.exchange, outgoing.routing_key) == (exchange, key)
                and not sent.returned
            ):
                sent.returned = reason
                return

    def _on_confirm(self, payload: bytes, problem: Failure | None) -> None:
        tag, multiple = f.confirmed(payload)
        if multiple:
            tags = []
            for pending in self._sent:
                if pending > tag:
                    break
                tags.append(pending)
        else:
            tags = [tag]
        now = time.monotonic()
        for each in tags:
            sent = self._sent.pop(each, None)
            if sent is None:
                continue
            self._confirmed(now - sent.at)
            outgoing = sent.outgoing
            if sent.returned and outgoing.must_route:
                sent.batch.one_ended(
                    Transient(
                        f"No queue takes {outgoing.routing_key!r} on {outgoing.exchange} ({sent.returned}).",
                        "Run `orderbus topology apply`, or start the service that takes it.",
                    )
                )
            else:
                sent.batch.one_ended(problem)

    def _on_close(self, payload: bytes) -> None:
        """Answer the broker's ``channel.close``: its reason is this lane's problem now."""
        (code, reason, class_id, method_id), _ = serialization.loads("BsBB", payload, 4)
        channel = self._channel
        channel.send_method(spec.Channel.CloseOk)
        channel.collect()
        self.lose(f"the broker closed the channel ({code} {reason})")
        self._retire(self, self.problem)
        raise amqp.exceptions.error_for_code(code, reason, (class_id, method_id), amqp.ChannelError)

    # What the service asks for

    def consume(self, prefetch: int) -> None:
        """Take messages in, so many ahead of their acknowledgement; 0 takes none."""
        self._wanted = prefetch
        self._reconcile()

    def gate(self, *, is_open: bool) -> None:
        """Let work through, or hold it: while it is shut no delivery is handed out and nothing is published."""
        self._open_gate = is_open
        self._reconcile()
        if is_open:
            postponed, self._postponed = self._postponed, []
            for batch, done in postponed:
                self.publish(batch, done)

    def _reconcile(self) -> None:
        """Bring the consumer in line with what is wanted and allowed; waits for no answer of the broker's."""
        should = self._wanted if self._open_gate else 0
        if self._channel is None or should == self._consuming:
            return
        if self._consuming:
            self._channel.basic_cancel(self._tag(), nowait=True)
        if should:
            self._consumers += 1
            self._channel.send_method(spec.Basic.Qos, "lBb", (0, should, False))
            self._channel.send_method(
                spec.Basic.Consume, "BssbbbbF", (0, self.queue, self._tag(), False, False, False, True, {})
            )
        self._consuming = should

    def _tag(self) -> str:
        return f"{self.queue}.{self._consumers}"

    def publish(self, batch: Sequence[Outgoing], done: Done) -> None:
        """Publish messages that count as one.

        Raises nothing: a lane without a channel, or one that loses it, tells `done`.
        """
        if self._channel is None:
            done(Transient(f"Nothing can be published: {self.problem}.", RECONNECT))
            return
        if not self._open_gate:
            self._postponed.append((batch, done))
            return
        if not batch:
            done(None)
            return
        whole = Batch(len(batch), done)
        now = time.monotonic()
        connection, number, methods = self._connection, self._number, self._methods
        unsent = connection.transport.unsent
        for outgoing in batch:
            name = (outgoing.exchange, outgoing.routing_key)
            method = methods.get(name)
            if method is None:
                method = methods[name] = f.publish(number, *name)
            self._sequence += 1
            self._sent[self._sequence] = Sent(outgoing, whole, now)
            unsent += method
            unsent += f.content(number, outgoing.properties, outgoing.body, connection.frame_max)

    def settle(self, incoming: Incoming) -> None:
        """Have a message acknowledged, soon."""
        if incoming.epoch == self.epoch:
            self._inputs.settle(incoming.tag)

    def refuse(self, incoming: Incoming) -> None:
        """Have a message dead-lettered by the broker itself."""
        if incoming.epoch == self.epoch:
            self._inputs.drop(incoming.tag)
            self._channel.basic_reject(incoming.tag, requeue=False)

    # Every turn

    def hand_out(self) -> None:
        """Give the deliveries of this turn to the service."""
        if self._fresh and self._open_gate:
            fresh, self._fresh = self._fresh, []
            self._receive(fresh)

    def acknowledge(self, *, quiet: bool) -> None:
        """Send the acknowledgements that are due.

        A prefix is one frame however long it is. Those behind a message that takes long cost a frame each, so they are
        sent when nothing else is going on, or when they come to be many.
        """
        if self._channel is None:
            return
        last = self._inputs.prefix()
        if last:
            self._connection.transport.unsent += f.ack(self._number, last, multiple=True)
        if self._inputs and (quiet or len(self._inputs) * 2 > self._consuming):
            for tag in self._inputs.stragglers():
                self._connection.transport.unsent += f.ack(self._number, tag, multiple=False)

    def waited_since(self) -> float | None:
        """Return when the oldest unconfirmed publish was sent, on the monotonic clock."""
        return next(iter(self._sent.values())).at if self._sent else None


def _deaf(kind: int, payload: bytes) -> bool:
    """Swallow the messages and confirms that still arrive on a channel that is being closed."""
    return kind != f.METHOD or payload[:4] in (f.DELIVER, f.RETURN, f.ACK, f.NACK, f.CANCEL)
