"""Starts a service that kills itself at a chosen instant of its work.

``python -m tests.faults.crashing --at publish-confirm --nth 3 --mark FILE run ecc-orders --config ...`` runs the
service as `orderbus` does, and ends it by SIGKILL the third time it comes between publishing and the broker's confirms.
The bus is patched in that process alone; nothing of this is in the code that users run.
"""

import argparse
import inspect
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from bus.frames import Outgoing
from bus.lane import AmqpLane, Done
from bus.poller import Poller
from bus.runner import Runner
from orderbus.cli import main as orderbus
from schemas.topics import COMMANDS, EVENTS

POINTS = ("before-effect", "effect-publish", "publish-confirm", "confirm-ack")
"""The four instants at which the death of a service differs. A poller's effect, the memory of what it has published,
comes last: there the first instant is before it publishes, the last between the confirm and that memory, and
``effect-publish`` between that memory and the next look."""


PARTS = ("handlers", "polls")
"""The two parts of a service that pass these points."""


class _Fuse:
    """Burns down a step each time its point is passed, and kills the process at the last, which leaves its mark."""

    def __init__(self, steps: int, mark: Path) -> None:
        self._left = steps
        self._mark = mark

    def burn(self) -> None:
        self._left -= 1
        if not self._left:
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def _around_handlers(*, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Have something called before and after every handler."""
    whole = Runner.__init__

    def wrapped(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(message: Any) -> Any:
            before()
            outputs = handler(message)
            if not inspect.isawaitable(outputs):
                after()
                return outputs
            return awaited(outputs)

        async def awaited(outputs: Awaitable[Any]) -> Any:
            result = await outputs
            after()
            return result

        return call

    def init(self: Runner, *arguments: Any) -> None:
        whole(self, *arguments)
        self._handlers = {body: wrapped(handler) for body, handler in self._handlers.items()}

    Runner.__init__ = init  # type: ignore[method-assign, assignment]


def _around_polls(*, before: Callable[[], None], confirmed: Callable[[], None], after: Callable[[], None]) -> None:
    """Have something called before a poller publishes, after its confirms, and after a poll that has published."""
    whole, publish = Poller.__init__, Poller.publish
    published: list[bool] = []

    async def publishing(self: Poller, publications: Sequence[Any]) -> None:
        before()
        await publish(self, publications)
        confirmed()
        published.append(True)

    def init(self: Poller, *arguments: Any) -> None:
        whole(self, *arguments)
        poll = self._poll
        if poll is None:
            return

        async def polling(publish_all: Any) -> float:
            published.clear()
            wait = await poll(publish_all)
            if published:
                after()
            return wait

        self._poll = polling

    Poller.__init__ = init  # type: ignore[method-assign, assignment]
    Poller.publish = publishing  # type: ignore[method-assign]


def _nothing() -> None:
    pass


def _before_effect(fuse: _Fuse, parts: Sequence[str]) -> None:
    if "handlers" in parts:
        _around_handlers(before=fuse.burn, after=_nothing)
    if "polls" in parts:
        _around_polls(before=fuse.burn, confirmed=_nothing, after=_nothing)


def _effect_publish(fuse: _Fuse, parts: Sequence[str]) -> None:
    if "handlers" in parts:
        _around_handlers(before=_nothing, after=fuse.burn)
    if "polls" in parts:
        _around_polls(before=_nothing, confirmed=_nothing, after=fuse.burn)


def _publish_confirm(fuse: _Fuse, parts: Sequence[str]) -> None:
    whole = AmqpLane.publish

    def publish(self: AmqpLane, batch: Sequence[Outgoing], done: Done) -> None:
        whole(self, batch, done)
        outputs = batch and batch[0].exchange in (EVENTS, COMMANDS)
        part = "polls" if done.__qualname__.startswith(Poller.__name__) else "handlers"
        if not outputs or part not in parts or self._channel is None or not self._open_gate:
            return
        transport = self._connection.transport
        transport.flush()
        while transport.unsent and not transport.held:
            select.select([], [transport.sock], [], 1.0)
            transport.flush()
        fuse.burn()

    AmqpLane.publish = publish  # type: ignore[method-assign]


def _confirm_ack(fuse: _Fuse, parts: Sequence[str]) -> None:
    whole = Runner._done

    def done(self: Runner, *arguments: Any) -> None:
        fuse.burn()
        whole(self, *arguments)

    if "handlers" in parts:
        Runner._done = done  # type: ignore[method-assign, assignment]
    if "polls" in parts:
        _around_polls(before=_nothing, confirmed=fuse.burn, after=_nothing)


_PATCHES = {
    "before-effect": _before_effect,
    "effect-publish": _effect_publish,
    "publish-confirm": _publish_confirm,
    "confirm-ack": _confirm_ack,
}


def main(arguments: Sequence[str]) -> None:
    """Patch the bus and run the rest of the command line as `orderbus` would."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crashing", description=__doc__)
    parser.add_argument("--at", choices=POINTS, required=True, help="Where it dies.")
    parser.add_argument("--nth", type=int, default=1, help="At which passing of that point.")
    parser.add_argument("--of", choices=PARTS, nargs="+", default=PARTS, help="In which part of it.")
    parser.add_argument("--mark", type=Path, required=True, help="File that it leaves when it dies there.")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="What `orderbus` is to run.")
    chosen = parser.parse_args(arguments)
    _PATCHES[chosen.at](_Fuse(chosen.nth, chosen.mark), chosen.of)
    orderbus(chosen.command)


if __name__ == "__main__":
    main(sys.argv[1:])
