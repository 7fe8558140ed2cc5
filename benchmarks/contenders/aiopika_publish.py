"""Publish with aio-pika on uvloop, with as many unconfirmed messages at once as given."""

import asyncio
import itertools
import sys
from pathlib import Path

import aio_pika
import uvloop

from benchmarks.contenders.work import order_placed
from schemas.topics import EVENTS


async def main(url: str, template: bytes, in_flight: int) -> None:
    """Publish until the process is stopped."""
    connection = await aio_pika.connect_robust(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(EVENTS, ensure=False)
        numbers = itertools.count(1)

        async def work() -> None:
            for number in numbers:
                out = order_placed(template, number)
                await exchange.publish(
                    aio_pika.Message(
                        out.body,
                        headers=out.headers,
                        content_type=out.content_type,
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                        message_id=out.message_id,
                        correlation_id=out.correlation_id,
                    ),
                    out.topic.routing_key,
                    mandatory=True,
                )

        await asyncio.gather(*(work() for _ in range(in_flight)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))
