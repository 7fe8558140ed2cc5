"""A client that sends an order and waits for the command: what one message meets when nothing else is going on."""

import time
from types import TracebackType

import amqp
from kombu.message import Message

from benchmarks.contenders.work import order_placed
from benchmarks.message import template
from bus.config import BrokerConfig
from bus.topology import connect

LONGEST = 10.0


class Probe:
    """Publishes orders one at a time, and takes what the router makes of each.

    Parameters
    ----------
    config:
        The broker.
    queue:
        The queue in which the commands arrive.
    """

    def __init__(self, config: BrokerConfig, queue: str) -> None:
        self._template = template()
        self._connection = connect(config)
        self._channel = self._connection.default_channel
        self._arrived = ""
        self._channel.basic_consume(queue, no_ack=True, callback=self._take)

    def __enter__(self) -> "Probe":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release()

    def _take(self, message: Message) -> None:
        self._arrived = message.headers.get("cloudEvents_causationid", "")

    def round_trip(self, number: int) -> float:
        """Publish the n-th order and return the seconds until its command is here."""
        out = order_placed(self._template, number)
        message = amqp.Message(
            out.body,
            content_type=out.content_type,
            delivery_mode=2,
            message_id=out.message_id,
            correlation_id=out.correlation_id,
            application_headers=out.headers,
        )
        begun = time.perf_counter()
        self._channel.basic_publish(message, out.topic.exchange, out.topic.routing_key)
        while self._arrived != out.message_id:
            self._connection.drain_events(timeout=LONGEST)
        return time.perf_counter() - begun
