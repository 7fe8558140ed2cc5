"""What becomes of a message whose handling failed: another attempt after a while, or the dead letters.

A message and a failure in, a message to publish out; nothing else happens here.
"""

import random
import socket
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Literal, TypeAlias

from msgspec import Struct

from bus import headers as h
from bus.codec import Oversized, Unknown, Unreadable
from bus.config import BrokerConfig
from bus.frames import Incoming, Outgoing
from bus.service import Row
from bus.topology import DEAD, retry_name
from schemas.failures import Busy, Failure, Permanent, Transient

Reason: TypeAlias = Literal[
    "permanent", "retries-exhausted", "bug", "undecodable", "unknown-type", "too-large", "delivery-limit"
]
"""Why a message was dead-lettered; the label of the metric and the header ``orderbus-fault-reason``."""

_LONGEST_TEXT = 500
"""Characters of cause and remedy that travel in headers."""
_LARGEST_PROPERTIES = 100_000
"""Bytes; properties travel in one frame, which RabbitMQ limits to 131072 bytes."""
SHORT = 5
"""Seconds of the longest rung on which a message waits for somebody who is at it (`schemas.failures.Busy`)."""
MOST_WAITS = 30
"""How often it does so, a minute and a half all in all, before that counts as attempts on the whole ladder."""
_ATTEMPTS = h.ATTEMPTS.encode()
_WAITS = h.WAITS.encode()
_FIRST_FAILED_AT = h.FAULT_FIRST_FAILED_AT.encode()
_ORIGIN_EXCHANGE = h.ORIGIN_EXCHANGE.encode()
_COPIES = frozenset((b"CC", b"BCC"))


class Verdict(Struct, frozen=True):
    """What is to be done with a message that failed."""

    outgoing: Outgoing | None
    """What to publish; ``None`` where the message cannot be published again and the broker must dead-letter it."""
    dead: Reason | None
    """``None``: another attempt."""
    failure: Failure
    attempts: int
    """Attempts that failed, this one included if it counts."""


class Overdelivered(Permanent):
    """A message that was delivered again and again without ever being settled."""


class _Bug(Transient):
    """Something a handler should not have raised."""


_REASONS: tuple[tuple[type[Permanent], Reason], ...] = (
    (Unknown, "unknown-type"),
    (Oversized, "too-large"),
    (Unreadable, "undecodable"),
    (Overdelivered, "delivery-limit"),
)
"""The first that fits; `Unknown` and `Oversized` are kinds of `Unreadable`."""


def overdelivered(count: int) -> Overdelivered:
    """Return the failure of a message that seems to end whatever process takes it."""
    return Overdelivered(
        f"The message was delivered {count} times before, and each time its process or its connection ended.",
        "Look at what the service logged when it ended; then send the message again.",
    )


def judge(incoming: Incoming, row: Row, error: Exception, config: BrokerConfig) -> Verdict:
    """Return what is to be done with a message whose handling failed.

    Parameters
    ----------
    error:
        What was raised. Anything but a `schemas.failures.Failure` is a bug, and is tried a few times only; its own
        text may quote data, so it is not passed on.
    """
    failure = error if isinstance(error, Failure) else _bug(error)
    try:
        fields = h.read_headers(incoming.properties)
    except (ValueError, IndexError):
        return Verdict(None, "undecodable", failure, 1)
    waits = max(0, h.read_number(fields.get(_WAITS)))
    if isinstance(failure, Busy) and waits < MOST_WAITS:
        again = _again(incoming, fields, row, _short_rung(waits, config), {_WAITS: h.number(waits + 1)})
        return Verdict(again, None, failure, _attempts(fields))
    attempts = _attempts(fields) + 1
    reason = _reason(failure, attempts, config)
    now = h.text(datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    first = fields.get(_FIRST_FAILED_AT, now)
    if reason is None:
        after = failure.retry_after if isinstance(failure, Transient) else None
        history = {_ATTEMPTS: h.number(attempts), _FIRST_FAILED_AT: first}
        return Verdict(_again(incoming, fields, row, _rung(attempts, after, config), history), None, failure, attempts)
    fault = {
        h.FAULT_REASON: h.text(reason),
        h.FAULT_EXCEPTION_TYPE: h.text(f"{type(error).__module__}.{type(error).__qualname__}"),
        h.FAULT_MESSAGE: h.text(failure.cause[:_LONGEST_TEXT]),
        h.FAULT_REMEDY: h.text(failure.remedy[:_LONGEST_TEXT]),
        h.FAULT_SERVICE: h.text(row.name),
        h.FAULT_ATTEMPTS: h.number(attempts),
        h.FAULT_FIRST_FAILED_AT: first,
        h.FAULT_LAST_FAILED_AT: now,
        h.FAULT_HOST: h.text(socket.gethostname()),
        h.ATTEMPTS: h.number(attempts),
    }
    changed = {name.encode(): field for name, field in fault.items()} | _origin(incoming, fields)
    return Verdict(_published(incoming, DEAD, row.queue, _COPIES, changed), reason, failure, attempts)


def defer(incoming: Incoming, row: Row, config: BrokerConfig) -> Outgoing | None:
    """Return a message for another delivery after a while that does not count as an attempt."""
    try:
        fields = h.read_headers(incoming.properties)
    except (ValueError, IndexError):
        return None
    return _again(incoming, fields, row, config.retry_delays[0], {})


def _attempts(fields: h.Fields) -> int:
    return min(max(0, h.read_number(fields.get(_ATTEMPTS))), 1_000_000)


def _reason(failure: Failure, attempts: int, config: BrokerConfig) -> Reason | None:
    """Return why the message is given up; ``None`` when it is not."""
    if isinstance(failure, Transient):
        if isinstance(failure, _Bug):
            return "bug" if attempts >= config.bug_attempts else None
        return "retries-exhausted" if attempts >= config.max_attempts else None
    return next((reason for kind, reason in _REASONS if isinstance(failure, kind)), "permanent")


def _bug(error: Exception) -> Failure:
    """Return an unexpected exception as a failure that says where it happened and not with what data."""
    steps = traceback.extract_tb(error.__traceback__)
    where = f" in {steps[-1].name}, line {steps[-1].lineno} of {PurePath(steps[-1].filename).name}" if steps else ""
    return _Bug(
        f"The handler failed unexpectedly with {type(error).__name__}{where}.",
        "This is a defect: report it with the service's log; then send the message again.",
    )


def _rung(attempts: int, at_least: float | None, config: BrokerConfig) -> int:
    """Return the seconds to wait: those of the attempt, or more where the other side asked for more."""
    delays = config.retry_delays
    usual = delays[min(attempts, len(delays)) - 1]
    return next((delay for delay in delays if delay >= max(usual, at_least or 0)), delays[-1])


def _short_rung(waits: int, config: BrokerConfig) -> int:
    """Return the seconds to wait for somebody else: the shortest rung at first, then one of the short ones.

    Many may wait for the same one; scattered, they do not all come back at once.
    """
    short = [delay for delay in config.retry_delays if delay <= SHORT] or config.retry_delays[:1]
    return random.choice(short[: 1 + waits // 3])  # noqa: S311 - no secret


def _origin(incoming: Incoming, fields: h.Fields) -> h.Fields:
    """Return the headers that keep where the message was first published; empty when it has them already."""
    if _ORIGIN_EXCHANGE in fields:
        return {}
    return {
        _ORIGIN_EXCHANGE: h.text(incoming.exchange),
        h.ORIGIN_ROUTING_KEY.encode(): h.text(incoming.routing_key),
    }


def _again(incoming: Incoming, fields: h.Fields, row: Row, seconds: int, history: h.Fields) -> Outgoing | None:
    changed = history | _origin(incoming, fields)
    return _published(incoming, retry_name(seconds), row.queue, h.BROKERS_OWN, changed)


def _published(
    incoming: Incoming, exchange: str, key: str, without: Collection[bytes], changed: h.Fields
) -> Outgoing | None:
    try:
        properties = h.passed_on(incoming.properties, without=without, changed=changed)
    except (ValueError, IndexError):
        return None
    if len(properties) > _LARGEST_PROPERTIES:
        return None
    return Outgoing(exchange, key, properties, incoming.body, h.read_message_id(properties))
