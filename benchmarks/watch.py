"""Notes when events pass on the broker, as another system that subscribes would see them."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType

import msgspec
from kombu.message import Message

from bus.config import BrokerConfig
from bus.topology import connect
from schemas.messages import Body, OrderPlaced
from schemas.order import OrderRef
from schemas.topics import EVENTS, TOPIC_OF


class _Placed(msgspec.Struct):
    class Order(msgspec.Struct):
        ref: OrderRef

    order: Order


class _Other(msgspec.Struct):
    ref: OrderRef


class Watch:
    """Subscribes to events of orders from its making to the end of its ``with`` block.

    Parameters
    ----------
    config:
        The broker, with the exchange of events.
    bodies:
        Types of the events.
    """

    def __init__(self, config: BrokerConfig, *bodies: type[Body]) -> None:
        self.seen: dict[type[Body], dict[str, float]] = {body: {} for body in bodies}
        """Of each type, the Magento order ids with the moment (`time.perf_counter`) at which the first event came."""
        self._types = {TOPIC_OF[body].routing_key: body for body in bodies}
        self._connection = connect(config)
        channel = self._connection.default_channel
        queue = channel.queue_declare(exclusive=True, auto_delete=True).queue
        for key in self._types:
            channel.queue_bind(queue, EVENTS, key)
        channel.basic_consume(queue, no_ack=True, callback=self._take)
        self._over = False
        self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()
        self._connection.release()

    def count(self, body: type[Body]) -> int:
        """Return of how many orders an event has come."""
        return len(self.seen[body])

    def all_of(self, body: type[Body], orders: Sequence[str]) -> bool:
        """Tell whether an event of each of these orders has come."""
        return all(order in self.seen[body] for order in orders)

    def _listen(self) -> None:
        while not self._over:
            try:
                self._connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue

    def _take(self, message: Message) -> None:
        now = time.perf_counter()
        body = self._types[str(message.delivery_info["routing_key"])]
        if body is OrderPlaced:
            ref = msgspec.json.decode(message.body, type=_Placed).order.ref
        else:
            ref = msgspec.json.decode(message.body, type=_Other).ref
        self.seen[body].setdefault(ref.order_id, now)
