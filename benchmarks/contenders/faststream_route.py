"""Route with FastStream, on uvloop as its own command line runs it."""

import sys

import uvloop
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from benchmarks.contenders.work import route
from schemas.topics import COMMANDS


async def main(url: str, queue: str, prefetch: int) -> None:
    """Consume until the process is stopped."""
    channel = Channel(prefetch_count=prefetch, publisher_confirms=True, on_return_raises=True)
    # The work itself decodes the body, into a msgspec struct: quicker than the framework's own validation.
    broker = RabbitBroker(url, default_channel=channel, logger=None, apply_types=False)
    commands = RabbitExchange(COMMANDS, declare=False)

    async def whole(message: RabbitMessage) -> RabbitMessage:
        return message

    @broker.subscriber(
        RabbitQueue(queue, declare=False), ack_policy=AckPolicy.NACK_ON_ERROR, decoder=whole, no_reply=True
    )
    async def on_message(message: RabbitMessage) -> None:
        out = route(message.body, message.headers)
        await broker.publish(
            out.body,
            exchange=commands,
            routing_key=out.topic.routing_key,
            mandatory=True,
            persist=True,
            headers=out.headers,
            content_type=out.content_type,
            message_id=out.message_id,
            correlation_id=out.correlation_id,
        )

    await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
