"""Route with plain kombu: a consumer, and a producer with confirms on a connection of its own.

On one connection, publishing from a consumer's callback would re-enter the dispatcher.
"""

import sys

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer

from benchmarks.contenders.work import route


def main(url: str, queue: str, prefetch: int) -> None:
    """Consume until the process is stopped."""
    with Connection(url) as inbound, Connection(url, transport_options={"confirm_publish": True}) as outbound:
        producer = outbound.Producer()

        def on_message(message: Message) -> None:
            out = route(message.body, message.headers)
            producer.publish(
                out.body,
                exchange=out.topic.exchange,
                routing_key=out.topic.routing_key,
                mandatory=True,
                delivery_mode=2,
                content_type=out.content_type,
                content_encoding="utf-8",
                message_id=out.message_id,
                correlation_id=out.correlation_id,
                headers=out.headers,
            )
            message.ack()

        source = Queue(queue, no_declare=True)
        with Consumer(inbound, [source], on_message=on_message, prefetch_count=prefetch):
            while True:
                inbound.drain_events()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
