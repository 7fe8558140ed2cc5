"""A blocking channel for one-off work: takes messages one by one, and publishes raw ones with confirms."""

import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
from amqp import spec
from msgspec import Struct

from bus import frames as f
from bus import topology
from bus.config import BrokerConfig
from bus.transport import Transport, client, socket_settings
from schemas.failures import Failure, Outage, Permanent, Transient

_GET_OK = b"\x00\x3c\x00\x47"
_GET_EMPTY = b"\x00\x3c\x00\x48"


class Pulled(Struct, frozen=True):
    """A message that was taken and not yet settled."""

    tag: int
    left: int
    """Messages in the queue behind it."""
    properties: bytes
    """Raw, see `bus.headers`."""
    body: bytes


class PullChannel:
    """A channel on which nothing happens by itself.

    Parameters
    ----------
    connection:
        A connection of `bus.transport`.
    timeout:
        Seconds to wait for any answer of the broker's.
    """

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._contents = f.Contents()
        self._inside = False
        self._arrived: deque[tuple[bytes, bytes, bytes]] = deque()
        self._tags = itertools.count(1)
        self._unsettled: dict[int, None] = {}
        connection.routes[self._channel.channel_id] = self._take

    def get(self, queue: str) -> Pulled | None:
        """Take the message at the head of a queue; it returns there when the channel closes without `ack`.

        Raises
        ------
        Permanent
            There is no such queue, or the user may not read it.
        """
        self._channel.send_method(spec.Basic.Get, "Bsb", (0, queue, False))
        method, properties, body = self._await({_GET_OK, _GET_EMPTY}, queue)
        if method.startswith(_GET_EMPTY):
            return None
        pulled = Pulled(int.from_bytes(method[4:12], "big"), int.from_bytes(method[-4:], "big"), properties, body)
        self._unsettled[pulled.tag] = None
        return pulled

    def ack(self, pulled: Pulled) -> None:
        """Settle a message: it leaves its queue."""
        self._channel.basic_ack(pulled.tag)
        del self._unsettled[pulled.tag]

    def publish(self, message: f.Outgoing) -> None:
        """Publish a message and wait until the broker has it in a queue.

        Raises
        ------
        Permanent
            No queue takes it, or its headers are too large.
        Transient
            The broker refused it, or did not confirm it in time.
        """
        channel, transport, most = self._channel.channel_id, self._connection.transport, self._connection.frame_max
        if not f.fits(message.properties, most):
            raise Permanent(
                "The message's headers are larger than the broker's frames.", "Publish it again with smaller headers."
            )
        tag = next(self._tags)
        transport.write(f.publish(channel, message.exchange, message.routing_key))
        transport.write(f.content(channel, message.properties, message.body, most))
        returned = False
        while True:
            method, _, _ = self._await({f.ACK, f.NACK, f.RETURN}, message.routing_key)
            if method.startswith(f.RETURN):
                returned = True
            elif f.confirmed(method)[0] >= tag:
                break
        if returned:
            raise Permanent(f"No queue {message.routing_key} takes the message.", topology.APPLY)
        if method.startswith(f.NACK):
            raise Transient(f"The broker refused a message for {message.routing_key}.", "See the broker's log.")

    def close(self) -> None:
        """Give back what is not settled, to the head of its queue, and close the channel."""
        self._connection.routes.pop(self._channel.channel_id, None)
        if self._channel.is_open:
            for tag in self._unsettled:  # one by one: by itself a quorum queue gives the tenth back before the second
                self._channel.basic_reject(tag, requeue=True)
            self._channel.close()

    def _take(self, kind: int, payload: bytes) -> bool:
        """Take a frame of the channel's; return whether it belongs to a message or to an answer waited for here."""
        if kind == f.METHOD:
            if payload[:4] in (_GET_OK, f.RETURN):
                self._contents.begin(payload)
                self._inside = True
            elif payload[:4] in (_GET_EMPTY, f.ACK, f.NACK):
                self._arrived.append((payload, b"", b""))
            else:
                return False
        elif complete := self._contents.add(kind, payload):
            self._arrived.append(complete)
        return True

    def _await(self, methods: set[bytes], queue: str) -> tuple[bytes, bytes, bytes]:
        while not self._arrived:
            try:
                self._connection.blocking_read(self._timeout)
            except TimeoutError as error:
                raise Outage("The broker did not answer in time.", "Look at the broker; then try again.") from error
            except self._connection.channel_errors as error:
                raise Permanent(
                    f"The broker does not give access to {queue}: {getattr(error, 'reply_text', error)}.",
                    topology.APPLY,
                ) from error
        arrived = self._arrived.popleft()
        assert arrived[0][:4] in methods  # noqa: S101 - nothing else is asked for on this channel
        return arrived


@contextmanager
def connected(config: BrokerConfig, purpose: str) -> Iterator[Any]:
    """Connect to the first of the configured addresses that answers; closes the connection at the end.

    Parameters
    ----------
    purpose:
        Shown in the broker's list of connections.

    Raises
    ------
    Outage
        No broker answers, or the connection is lost meanwhile.
    Permanent
        The broker refuses the user or the virtual host.
    """
    failure: Failure | None = None
    for url in config.urls:
        one_off = client(
            url,
            transport=Transport,
            ssl=topology.tls(config, url),
            heartbeat=0,
            connect_timeout=config.connect_timeout,
            transport_options={
                "answer_timeout": config.connect_timeout,
                "socket_settings": socket_settings(),
                "client_properties": {"connection_name": f"orderbus {purpose}"},
            },
        )
        try:
            connection = one_off.transport.establish_connection()
        except topology.CONNECTION_ERRORS as error:
            failure = topology.explained(error, url)
            continue
        try:
            yield connection
        except (amqp.ConnectionError, OSError) as error:
            raise Outage("The connection to the broker was lost.", "Try again.") from error
        finally:
            connection.collect()
        return
    assert failure is not None  # noqa: S101 - there is at least one URL
    raise failure
