"""Publish with this project's bus, as a poller does: from coroutines, or from blocking threads."""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.service import Service
from orderbus.services import MAGENTO_ORDERS, TABLE
from schemas.envelope import Publication, Publish
from schemas.messages import OrderPlaced

BATCH = 100


def publications(template: bytes) -> Iterator[Publication]:
    """Return orders without end, each with a number of its own; threads may share the iterator."""
    body = msgspec.json.decode(template, type=OrderPlaced)

    def numbered(number: int) -> Publication:
        return Publication(body, f"benchmark-{number:012d}", f"default/{number:09d}", f"default/{number:09d}")

    return map(numbered, itertools.count(1))


async def from_coroutines(publish: Publish, todo: Iterator[Publication], in_flight: int) -> None:
    """Publish with so many messages unconfirmed at once: one, or batches as a poller publishes a page."""

    async def work() -> None:
        while True:
            await publish(tuple(itertools.islice(todo, min(BATCH, in_flight))))

    await asyncio.gather(*(work() for _ in range(max(1, in_flight // BATCH))))


async def from_threads(publish: Publish, todo: Iterator[Publication], threads: int) -> None:
    """Publish from blocking threads, each waiting for the confirm of its message."""
    loop = asyncio.get_running_loop()

    async def confirmed(publication: Publication) -> None:
        await publish((publication,))

    def work() -> None:
        for publication in todo:
            asyncio.run_coroutine_threadsafe(confirmed(publication), loop).result()

    with ThreadPoolExecutor(threads) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, work) for _ in range(threads)))


async def main(url: str, template: bytes, mode: str, count: int) -> None:
    """Publish until the process is stopped."""
    todo = publications(template)

    async def poll(publish: Publish) -> float:
        await (from_threads if mode == "threads" else from_coroutines)(publish, todo, count)
        return 0.0

    service = Service(MAGENTO_ORDERS, handlers={}, poll=poll)
    runtime = Runtime([service], TABLE, BrokerConfig(url=url))
    await runtime.start()
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), sys.argv[3], int(sys.argv[4])))
