"""The broker as the tests use it themselves: to look into queues, to put things into them, and to take them away."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import amqp
from kombu.utils.url import parse_url
from msgspec import Struct

from bus.headers import BROKERS_OWN
from schemas.topics import COMMANDS, EVENTS
from tests.faults.bench import Bench
from tests.processes import wait_until

ERRORS = (amqp.AMQPError, OSError)
BROKERS_HEADERS = frozenset(name.decode() for name in BROKERS_OWN)


class Taken(Struct, frozen=True):
    """A message as it was found."""

    routing_key: str
    headers: Mapping[str, Any]
    message_id: str
    body: bytes


@contextlib.contextmanager
def channel(url: str) -> Iterator[Any]:
    """Yield a channel whose publishes wait for their confirms."""
    parts = parse_url(url)
    connection = amqp.Connection(
        host=f"{parts['hostname']}:{parts['port']}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"],
        confirm_publish=True,
        connect_timeout=10,
        read_timeout=30,
        write_timeout=30,
    )
    try:
        connection.connect()
        yield connection.channel()
    finally:
        with contextlib.suppress(*ERRORS):
            connection.close()


def taken(message: Any) -> Taken:
    """Return a message of py-amqp's."""
    return Taken(
        message.delivery_info["routing_key"],
        {name: value for name, value in (message.headers or {}).items() if name not in BROKERS_HEADERS},
        message.properties.get("message_id", ""),
        message.body if isinstance(message.body, bytes) else message.body.encode(),
    )


def put(open_channel: Any, queue: str, headers: Mapping[str, Any], message_id: str, body: bytes) -> None:
    """Put a message into a queue and wait until the broker has it."""
    message = amqp.Message(
        body,
        content_type="application/json",
        content_encoding=None,
        delivery_mode=2,
        message_id=message_id,
        application_headers=dict(headers),
    )
    open_channel.basic_publish(message, exchange="", routing_key=queue, mandatory=True)


def take(open_channel: Any, queue: str, most: int) -> list[Any]:
    """Take messages from a queue; they return to it unless they are acknowledged."""
    found: list[Any] = []
    while len(found) < most and (message := open_channel.basic_get(queue)) is not None:
        found.append(message)
    return found


def overheard(url: str, keys: Sequence[str], most: int, seconds: float) -> list[Taken]:
    """Listen to events and commands for a while, without taking them from anybody."""
    with channel(url) as listening:
        queue = listening.queue_declare(exclusive=True, durable=False).queue
        for key in keys:
            listening.queue_bind(queue, EVENTS, key)
            listening.queue_bind(queue, COMMANDS, key)
        until = time.monotonic() + seconds
        found: list[Taken] = []
        while len(found) < most and time.monotonic() < until:
            found += map(taken, take(listening, queue, most - len(found)))
            time.sleep(0.05)
    return found


def delete_when_empty(bench: Bench, queue: str, feeding: Sequence[str], seconds: float = 30.0) -> bool:
    """Delete a queue at a moment when neither it nor the retry ladder holds anything; return whether there was one.

    Nobody but its caller kills, starts or thaws a service meanwhile.

    Parameters
    ----------
    feeding:
        Services that publish to it: they are frozen while it runs empty.
    """
    for service in feeding:
        bench.freeze(service)
    try:
        try:
            wait_until(lambda: _empty(bench, queue), f"{queue} is empty", seconds=seconds, every=0.1)
        except TimeoutError:
            return False
        with channel(bench.url()) as deleting:
            deleting.queue_delete(queue)
    finally:
        for service in feeding:
            bench.thaw(service)
    return True


def _empty(bench: Bench, queue: str) -> bool:
    totals = bench.queue_totals()
    return not any(total for name, total in totals.items() if name == queue or name.startswith("orderbus.retry."))
