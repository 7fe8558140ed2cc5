"""Route with aio-pika: a task per message, as many at once as the prefetch allows; optionally on uvloop."""

import asyncio
import sys

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from benchmarks.contenders.work import route
from schemas.topics import COMMANDS


async def main(url: str, queue: str, prefetch: int) -> None:
    """Consume until the process is stopped."""
    connection = await aio_pika.connect_robust(url)
    async with connection:
        inbound = await connection.channel(publisher_confirms=False)
        outbound = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await inbound.set_qos(prefetch_count=prefetch)
        exchange = await outbound.get_exchange(COMMANDS, ensure=False)
        source = await inbound.get_queue(queue, ensure=False)

        async def on_message(message: AbstractIncomingMessage) -> None:
            out = route(message.body, message.headers)
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
            await message.ack()

        await source.consume(on_message)
        await asyncio.Future()


if __name__ == "__main__":
    runner = uvloop.run if sys.argv[4] == "uvloop" else asyncio.run
    runner(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
