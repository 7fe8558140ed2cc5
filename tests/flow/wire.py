"""What travels on the broker, read and published beside the bus with py-amqp alone."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import msgspec
from msgspec import Struct

from schemas.topics import COMMANDS, EVENTS, TOPICS


class Seen(Struct, frozen=True):
    """A message as it was delivered."""

    exchange: str
    key: str
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    """The AMQP properties beside the headers."""
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        decoded: dict[str, Any] = msgspec.json.decode(self.raw)
        return decoded


class Wire:
    """A subscriber of every event and command, which can publish as well.

    Parameters
    ----------
    url:
        AMQP URL of a virtual host whose topology is applied.
    """

    QUEUE = "tests.everything"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = amqp.Connection(
            host=f"{parts.hostname}:{parts.port or 5672}",
            userid=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path.removeprefix("/")) or "/",
        )
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.queue_declare(queue=self.QUEUE, durable=False, auto_delete=False)
        self._channel.queue_bind(queue=self.QUEUE, exchange=EVENTS, routing_key="#")
        for topic in TOPICS:
            if topic.exchange == COMMANDS:
                self._channel.queue_bind(queue=self.QUEUE, exchange=COMMANDS, routing_key=topic.routing_key)
        self._seen: list[Seen] = []

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def seen(self, key: str = "", where: Callable[[dict[str, Any]], bool] = lambda _body: True) -> list[Seen]:
        """Return every message so far, oldest first; by default of every routing key and with any body."""
        while (message := self._channel.basic_get(queue=self.QUEUE, no_ack=True)) is not None:
            info = message.delivery_info
            properties = {name: value for name, value in message.properties.items() if name != "application_headers"}
            body = message.body if isinstance(message.body, bytes) else message.body.encode()
            self._seen.append(Seen(info["exchange"], info["routing_key"], dict(message.headers), properties, body))
        return [one for one in self._seen if key in ("", one.key) and where(one.body)]

    def wait(
        self,
        key: str,
        where: Callable[[dict[str, Any]], bool] = lambda _body: True,
        *,
        count: int = 1,
        seconds: float = 60.0,
    ) -> list[Seen]:
        """Wait until at least so many messages were seen, and return them."""
        deadline = time.monotonic() + seconds
        while len(found := self.seen(key, where)) < count:
            if time.monotonic() > deadline:
                keys = [one.key for one in self._seen]
                raise TimeoutError(f"After {seconds:g} s: {len(found)} of {count} {key} were seen; all: {keys[-40:]}")
            time.sleep(0.05)
        return found

    def publish(self, like: Seen, body: Mapping[str, Any] | None = None, *, identifier: str = "") -> None:
        """Publish a message again, with another body or another id where given."""
        named = {"cloudEvents_id": identifier} if identifier else {}
        properties = {**like.properties, **({"message_id": identifier} if identifier else {})}
        octets = like.raw if body is None else msgspec.json.encode(body)
        message = amqp.Message(octets, application_headers={**like.headers, **named}, **properties)
        self._channel.basic_publish(message, exchange=like.exchange, routing_key=like.key)

    def waiting(self, queue: str) -> int:
        """Return how many messages lie in a queue, ready to be taken."""
        count: int = self._channel.queue_declare(queue=queue, passive=True).message_count
        return count


def of_order(increment_id: str) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether a body is about one order."""

    def is_it(body: dict[str, Any]) -> bool:
        ref = body.get("ref") or body.get("order", {}).get("ref", {})
        return bool(ref.get("increment_id") == increment_id)

    return is_it


def of_customer(key: str) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether a body is about one customer key."""

    def is_it(body: dict[str, Any]) -> bool:
        return key in (body.get("customer_key"), body.get("customer", {}).get("key"))

    return is_it
