"""Dead letters: what was given up and why, and sending it again.

The queues ``orderbus.<service>.dead`` have no delivery limit: looking at a message takes it and gives it back, which a
quorum queue counts as a delivery.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from msgspec import Struct

from bus import headers as h
from bus.config import BrokerConfig
from bus.frames import Outgoing
from bus.pull import PullChannel, Pulled, connected
from bus.service import Row
from bus.topology import dead_queue
from schemas.failures import Permanent

RETRIED_AT = "orderbus-retried-at"
"""When a dead letter was last sent again."""
RETRIED_COUNT = "orderbus-retried-count"
"""How often it was."""

_DEATHS = {"delivery_limit": "delivery-limit", "maxlen": "queue-full"}
"""What the broker calls its reasons to dead-letter, and what the bus calls them."""
_REMEDY_OF_DEATH = "Look at what the service logged when it took the message; then send the message again."


class DeadLetter(Struct, frozen=True):
    """A message that was given up."""

    id: str
    """Its message id; of one that carries none, a digest of its body."""
    service: str
    """Service that could not handle it, in whose queue it failed."""
    type: str
    """CloudEvents type, empty if there is none."""
    subject: str
    correlation_id: str
    reason: str
    """One of `bus.retry.Reason`, or what the broker says where it dead-lettered the message itself."""
    exception_type: str
    message: str
    """The cause, in a sentence."""
    remedy: str
    attempts: int
    """Tries that failed."""
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    host: str
    """Where it failed last."""
    deliveries: int
    """``x-delivery-count``: how often the broker had delivered it from its queue before."""
    retried: int
    """How often it was sent again."""
    retried_at: datetime | None
    size: int
    """Bytes of the body."""


class Contents(Struct, frozen=True):
    """A dead letter with all that it carries; may hold personal data."""

    letter: DeadLetter
    headers: dict[str, str | int]
    """Headers that hold text or whole numbers."""
    body: str


def list_dead(
    config: BrokerConfig, table: Sequence[Row], *, service: str | None = None, limit: int = 100
) -> list[DeadLetter]:
    """Return dead letters, the oldest of each service first; all of them stay where they are.

    While it runs, the messages looked at are invisible to others who list or retry.

    Parameters
    ----------
    service:
        Only this one's.
    limit:
        How many at most.

    Raises
    ------
    Outage
        No broker answers.
    Permanent
        The broker is the embedded one, the service is unknown, or its queue is missing.
    """
    found: list[DeadLetter] = []
    for row, _, pulled in _walk(config, table, service):
        if len(found) >= limit:
            break
        found.append(_letter(row, pulled))
    return found


def show(config: BrokerConfig, table: Sequence[Row], identifier: str, *, service: str | None = None) -> list[Contents]:
    """Return the dead letters of one id with headers and body: one for each service in which the message failed.

    Raises
    ------
    Outage
        No broker answers.
    Permanent
        There is none, or what `list_dead` raises.
    """
    found = [
        Contents(letter, _readable_headers(pulled.properties), pulled.body.decode(errors="replace"))
        for row, _, pulled in _walk(config, table, service)
        if (letter := _letter(row, pulled)).id == identifier
    ]
    if not found:
        raise _not_found([identifier])
    return found


def retry(
    config: BrokerConfig,
    table: Sequence[Row],
    identifiers: Collection[str] | None,
    *,
    service: str | None = None,
    each: Callable[[DeadLetter], None] = lambda _letter: None,
) -> list[DeadLetter]:
    """Send dead letters again, each to the queue where it failed and to no other subscriber.

    A message keeps its id, its headers and the history of its failure; its attempts start anew. It leaves the dead
    letters once the broker has confirmed it in its queue: a crash in between leaves it in both, which handlers bear
    since they are idempotent, and never in neither.

    Parameters
    ----------
    identifiers:
        Ids to send again; ``None`` for all that are there when it starts.
    service:
        Only this one's.
    each:
        Called with each letter after it was sent.

    Returns
    -------
    list
        What was sent.

    Raises
    ------
    Outage
        No broker answers, or not any more.
    Permanent
        None of the ids is there, a service's queue is missing, or what `list_dead` raises.
    """
    sent: list[DeadLetter] = []
    wanted = None if identifiers is None else frozenset(identifiers)
    for row, channel, pulled in _walk(config, table, service):
        letter = _letter(row, pulled)
        if wanted is not None and letter.id not in wanted:
            continue
        channel.publish(_again(row, letter, pulled))
        channel.ack(pulled)
        sent.append(letter)
        each(letter)
    if wanted is not None and not sent:
        raise _not_found(sorted(wanted))
    return sent


def _walk(config: BrokerConfig, table: Sequence[Row], service: str | None) -> Iterator[tuple[Row, PullChannel, Pulled]]:
    """Yield each dead letter that is there at the start; what is not settled goes back when its queue is through."""
    rows = _chosen(config, table, service)
    with connected(config, "dead letters") as connection:
        for row in rows:
            with closing(PullChannel(connection, config.confirm_timeout)) as channel:
                pulled = channel.get(dead_queue(row.name))
                left = pulled.left if pulled else 0
                while pulled:
                    yield row, channel, pulled
                    if not left:  # what comes now failed again meanwhile
                        break
                    left -= 1
                    pulled = channel.get(dead_queue(row.name))


def _chosen(config: BrokerConfig, table: Sequence[Row], service: str | None) -> list[Row]:
    if config.embedded:
        raise Permanent(
            "The embedded broker keeps its dead letters inside its process, out of reach.",
            "Set broker.url to a RabbitMQ to list, show or retry them; until then see the process's log.",
        )
    rows = [row for row in table if service in (None, row.name)]
    if not rows:
        raise Permanent(f"There is no service {service!r}.", f"Known are {', '.join(row.name for row in table)}.")
    return rows


def _not_found(identifiers: Sequence[str]) -> Permanent:
    return Permanent(
        f"There is no dead letter {', '.join(identifiers[:5])}{' ...' if identifiers[5:] else ''}.",
        "List them with `orderbus dead list`; perhaps it was sent again already.",
    )


def _again(row: Row, letter: DeadLetter, pulled: Pulled) -> Outgoing:
    """Return a dead letter as it is published to the queue where it failed."""
    changed = {
        RETRIED_AT.encode(): h.text(datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        RETRIED_COUNT.encode(): h.number(letter.retried + 1),
        # What only the broker knew so far goes with its headers, so it is written down.
        h.FAULT_REASON.encode(): h.text(letter.reason),
        h.FAULT_SERVICE.encode(): h.text(letter.service),
        h.FAULT_MESSAGE.encode(): h.text(letter.message),
        h.FAULT_REMEDY.encode(): h.text(letter.remedy),
    }
    try:
        properties = h.passed_on(
            pulled.properties, without=[*h.BROKERS_OWN, h.ATTEMPTS.encode(), h.WAITS.encode()], changed=changed
        )
    except (ValueError, IndexError) as error:
        raise Permanent(
            f"The headers of dead letter {letter.id} cannot be read.", "Publish its contents anew at their source."
        ) from error
    return Outgoing("", row.queue, properties, pulled.body, letter.id)


def _letter(row: Row, pulled: Pulled) -> DeadLetter:
    """Return what a dead letter's headers tell, as far as they can be read."""
    try:
        fields, message_id = h.read_headers(pulled.properties), h.read_message_id(pulled.properties)
    except (ValueError, IndexError):
        fields, message_id = {}, ""

    def text(name: str) -> str:
        return h.read_text(fields.get(name.encode()))

    death = _death(fields, row.queue)
    return DeadLetter(
        id=message_id or text("cloudEvents_id") or hashlib.blake2b(pulled.body, digest_size=16).hexdigest(),
        service=row.name,
        type=text("cloudEvents_type"),
        subject=text("cloudEvents_subject"),
        correlation_id=text("cloudEvents_correlationid"),
        reason=death or text(h.FAULT_REASON),
        exception_type="" if death else text(h.FAULT_EXCEPTION_TYPE),
        message=f"The broker gave the message up: {death} in {row.queue}." if death else text(h.FAULT_MESSAGE),
        remedy=_REMEDY_OF_DEATH if death else text(h.FAULT_REMEDY),
        attempts=h.read_number(fields.get(h.FAULT_ATTEMPTS.encode())) or h.read_number(fields.get(h.ATTEMPTS.encode())),
        first_failed_at=_moment(text(h.FAULT_FIRST_FAILED_AT)),
        last_failed_at=_moment(text(h.FAULT_LAST_FAILED_AT)),
        host=text(h.FAULT_HOST),
        deliveries=h.read_number(fields.get(h.DELIVERY_COUNT.encode())),
        retried=h.read_number(fields.get(RETRIED_COUNT.encode())),
        retried_at=_moment(text(RETRIED_AT)),
        size=len(pulled.body),
    )


def _death(fields: h.Fields, queue: str) -> str:
    """Return why the broker itself took a message out of a queue, empty if it did not.

    ``x-death`` is an array of tables; those of other queues are waits in the retry ladder. Whoever sends a dead letter
    again leaves the header out, so an entry for the service's own queue tells of the last failure.
    """
    array = fields.get(b"x-death", b"")
    at = 5
    while array[:1] == b"A" and array[at : at + 1] == b"F":
        try:
            entry = h.read_table(array, at + 1)
        except (ValueError, IndexError):
            break
        if h.read_text(entry.get(b"queue")) == queue:
            reason = h.read_text(entry.get(b"reason"))
            return _DEATHS.get(reason, reason)
        at += 5 + int.from_bytes(array[at + 1 : at + 5], "big")
    return ""


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _readable_headers(properties: bytes) -> dict[str, str | int]:
    try:
        fields = h.read_headers(properties)
    except (ValueError, IndexError):
        return {}
    return {
        name.decode(errors="replace"): h.read_text(field) if field[:1] == b"S" else h.read_number(field)
        for name, field in fields.items()
        if field[:1] in b"SbBUusIiLl"
    }
