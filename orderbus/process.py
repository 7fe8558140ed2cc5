"""One process of the bus: its services at work until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import PurePath
from typing import Any

from prometheus_client import REGISTRY

from bus.runtime import Runtime
from orderbus.config import Config
from orderbus.services import TABLE
from orderbus.wiring import build

HARD = 130
"""Exit status where what is in hand was not waited for: after a second signal, or when it did not end in time."""
LAST_CALL = 5.0
"""Seconds after `broker.stop_timeout` in which connections are closed; then the process leaves whatever is still at
work."""
_IDLE = "_worker"
"""Function in which a thread of a pool waits for work."""

logger = logging.getLogger(__name__)


async def serve(names: Sequence[str], config: Config) -> None:
    """Run services until SIGTERM or SIGINT, then finish what is in hand.

    The process ends soon after that, even where a thread of it is stuck in a call: what that had in hand was not
    acknowledged, and is delivered again.

    Parameters
    ----------
    names:
        Services of `orderbus.services.TABLE`.

    Raises
    ------
    Outage
        The broker or the database is away; starting again may help.
    Permanent
        The broker refuses the user, a migration is missing, or the embedded broker lacks a service; starting again
        does not help.
    AddressTaken
        The port for metrics and health is in use.
    """
    stop = asyncio.Event()
    with _stopped_by_signals(stop):
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(build(names, config))
            runtime = Runtime(services, TABLE, config.broker)
            REGISTRY.register(runtime.metrics)
            stack.callback(REGISTRY.unregister, runtime.metrics)
            stack.push_async_callback(runtime.stop)
            try:
                await _until(stop, _work(runtime, config, stack))
            finally:
                _leave_within(config.broker.stop_timeout + LAST_CALL)


async def _work(runtime: Runtime, config: Config, stack: AsyncExitStack) -> None:
    """Take messages in until that is impossible for good; health is served while the broker is still looked for."""
    if config.http.port:
        from orderbus.health import serving  # noqa: PLC0415 - a process that serves none starts sooner and smaller

        http = serving(config.http.host, config.http.port, problems=runtime.problems, alive=runtime.alive)
        await stack.enter_async_context(http)
    await runtime.start()
    raise await runtime.failed()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Let work go on until it ends or a stop is wanted, whatever comes first."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopped):
            task.cancel()
        for task in (working, stopped):
            with suppress(asyncio.CancelledError, Exception):
                await task


def _leave_within(seconds: float) -> None:
    """Have the process end after so long, should it not have ended by then.

    A blocking call cannot be cancelled, and the interpreter waits for the threads that are in one.
    """

    def leave() -> None:
        logger.error("Left by force; what was in hand is delivered again. At work: %s.", "; ".join(_at_work()))
        os._exit(HARD)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _at_work() -> Iterator[str]:
    """Yield the other threads that have something to do, and where each is."""
    frames = sys._current_frames()  # noqa: SLF001 - the public way to it prints, and cannot leave threads out
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or frame.f_code.co_name == _IDLE or thread is threading.current_thread():
            continue
        where = f"{frame.f_code.co_name}, line {frame.f_lineno} of {PurePath(frame.f_code.co_filename).name}"
        yield f"{thread.name} in {where}"


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set the event at the first SIGTERM or SIGINT, and leave at once at the second."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stop.is_set():
            os._exit(HARD)
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
