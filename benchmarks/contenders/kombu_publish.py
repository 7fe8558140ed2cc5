"""Publish with plain kombu: one by one, or from blocking threads that share a pool of connections."""

import itertools
import sys
import threading
from pathlib import Path

from kombu.connection import Connection
from kombu.messaging import Producer
from kombu.pools import producers

from benchmarks.contenders.work import Outgoing, order_placed


def publish(producer: Producer, out: Outgoing) -> None:
    """Publish a message and wait for its confirm."""
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


def main(url: str, template: bytes, threads: int) -> None:
    """Publish until the process is stopped."""
    connection = Connection(url, transport_options={"confirm_publish": True})
    numbers = itertools.count(1)
    pool = producers[connection]
    pool.limit = threads

    def work() -> None:
        for number in numbers:
            with pool.acquire(block=True) as producer:
                publish(producer, order_placed(template, number))

    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]))
