"""The CloudEvents 1.0 envelope of a message, and what a handler receives and returns."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from schemas.messages import Body

BodyT = TypeVar("BodyT", bound=Body)


class Envelope(Struct, frozen=True, omit_defaults=True):
    """CloudEvents 1.0 context attributes, binary mode over AMQP 0-9-1."""

    id: str
    """Unique per message, the same on every redelivery."""
    source: str
    """URI-reference of the producer, e.g. ``/orderbus/router``."""
    type: str
    """E.g. ``orderbus.order.placed.v1``."""
    time: datetime
    """When the message was made, aware, UTC."""
    subject: str = ""
    correlation_id: str = ""
    """The same for every message that follows from one order."""
    causation_id: str = ""
    """Id of the message that led to this one."""
    traceparent: str = ""
    """W3C trace context of the hop."""
    tracestate: str = ""


class Message(Struct, Generic[BodyT], frozen=True):
    """A message as a handler receives it."""

    envelope: Envelope
    body: BodyT
    attempt: int = 1
    """1 on the first try; a redelivery after a crash or an outage does not count."""


class Publication(Struct, frozen=True):
    """A message that nothing caused: what a poller publishes.

    Its id derives from what was seen, so that seeing the same thing again makes the same message.
    """

    body: Body
    id: str
    correlation_id: str
    subject: str = ""


Handler: TypeAlias = Callable[[Message[BodyT]], Awaitable[Sequence[Body]] | Sequence[Body]]
"""What a service does with one message: it returns the bodies to publish because of it.

A coroutine function runs on the event loop; a plain one that a service declares as blocking runs in a worker
thread. It may be called again with the same message, so its effect must be idempotent. It raises
`schemas.failures.Transient` or `schemas.failures.Permanent`.
"""
Publish: TypeAlias = Callable[[Sequence[Publication]], Awaitable[None]]
"""Publishes and returns once the broker has confirmed all; raises `schemas.failures.Transient` if it did not."""
Poll: TypeAlias = Callable[[Publish], Awaitable[float]]
"""Looks once for something new, publishes it, and returns the seconds to wait before looking again."""
