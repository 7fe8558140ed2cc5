"""What a service is to the bus: a row that says what it takes, what it publishes and what it does."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from schemas.envelope import Handler, Poll
from schemas.messages import Body
from schemas.topics import TOPIC_OF, Topic


class Row(Struct, frozen=True):
    """The part of a service that the topology is made of; the whole table is known to every process."""

    name: str
    """Name of the service; its queue is ``orderbus.<name>``."""
    consumes: tuple[type[Body], ...] = ()
    publishes: tuple[type[Body], ...] = ()

    @property
    def queue(self) -> str:
        """Name of the service's own queue."""
        return f"orderbus.{self.name}"

    @property
    def bindings(self) -> tuple[Topic, ...]:
        """What the queue is bound to."""
        return tuple(TOPIC_OF[body] for body in self.consumes)


class Service(Struct, frozen=True):
    """A row together with the code that does its work in this process."""

    row: Row
    handlers: Mapping[type[Body], Handler[Any]]
    """One handler for each body type that the row consumes."""
    runs: Literal["inline", "loop", "threads"] = "loop"
    """``loop``: coroutine handlers (or quick plain ones) on the event loop. ``threads``: blocking plain functions.
    ``inline``: pure plain functions of microseconds, called where messages are read and written: no I/O, no waiting."""
    concurrency: int = 1
    """Messages in hand at once; also the number of worker threads where handlers block."""
    prefetch: int = 0
    """Messages the broker may send ahead; 0 means the concurrency (a crash requeues all that were sent), or, where
    handlers run inline, enough to keep one busy while the broker confirms."""
    poll: Poll | None = None
    """Looks for new things between messages, for a poller."""
