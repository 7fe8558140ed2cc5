"""Messages on the wire: JSON bodies with a CloudEvents envelope in the headers (binary mode)."""

import hashlib
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from bus import headers as h
from bus.frames import Incoming, Outgoing
from bus.service import Row
from schemas.envelope import Envelope, Message, Publication
from schemas.failures import Permanent
from schemas.messages import Body
from schemas.order import OrderRef
from schemas.topics import COMMANDS, TOPIC_NAMED, TOPIC_OF

CONTENT_TYPE = "application/json"
_SPECVERSION = b"cloudEvents_specversion"
_ID = b"cloudEvents_id"
_SOURCE = b"cloudEvents_source"
_TYPE = b"cloudEvents_type"
_TIME = b"cloudEvents_time"
_SUBJECT = b"cloudEvents_subject"
_DATASCHEMA = b"cloudEvents_dataschema"
_CORRELATION = b"cloudEvents_correlationid"
_CAUSATION = b"cloudEvents_causationid"
_TRACEPARENT = b"traceparent"
_TRACESTATE = b"tracestate"
_OPEN_ID, _OPEN_TIME, _OPEN_SUBJECT = h.opening(_ID), h.opening(_TIME), h.opening(_SUBJECT)
_OPEN_CORRELATION, _OPEN_CAUSATION = h.opening(_CORRELATION), h.opening(_CAUSATION)
_OPEN_TRACEPARENT, _OPEN_TRACESTATE = h.opening(_TRACEPARENT), h.opening(_TRACESTATE)
_VERSION_1_0 = h.text("1.0")
_ATTEMPTS = h.ATTEMPTS.encode()
_DELIVERY_COUNT = h.DELIVERY_COUNT.encode()

_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_QUOTED = re.compile(r"'[^']*'")
_LONGEST_HEADER = 1024
"""Characters of a header that the bus reads; ids end at 255."""

_json = msgspec.json.Encoder(decimal_format="string")
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(topic.body) for name, topic in TOPIC_NAMED.items()
}


class Unreadable(Permanent):
    """A message that no attempt will ever make readable."""


class Unknown(Unreadable):
    """A message of a type that the service does not take."""


class Oversized(Unreadable):
    """A message beyond the size limit."""


def decode(incoming: Incoming, accepts: frozenset[str], most: int) -> tuple[Message[Body], int]:
    """Return a delivered message and how often it has been delivered before.

    Parameters
    ----------
    accepts:
        CloudEvents types that the service takes.
    most:
        Bytes that a body may have.

    Raises
    ------
    Unreadable
        Its headers are no CloudEvents envelope, or its body is not what its type says.
    Unknown
        It is of another type, or of another version of one.
    Oversized
        Its body is larger than allowed.
    """
    if len(incoming.body) > most:
        raise Oversized(
            f"The body has {len(incoming.body)} bytes, more than the {most} that are allowed.",
            "Send less, or raise broker.max_message_bytes on every service.",
        )
    try:
        fields = h.read_headers(incoming.properties)
    except (ValueError, IndexError) as error:
        raise Unreadable("The message's headers cannot be read.", "Correct the publisher.") from error
    name = _text(fields, _TYPE)
    if name not in accepts:
        raise Unknown(
            f"The service does not take messages of type {name!r}.",
            "Correct the publisher or the binding, or upgrade this service if the type is newer than it.",
        )
    envelope = _envelope(fields, name)
    try:
        body = _decoders[name].decode(incoming.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = _QUOTED.sub("'...'", str(error))
        raise Unreadable(f"The body is no {name}: {detail}.", "Correct the publisher.") from error
    attempt = max(0, h.read_number(fields.get(_ATTEMPTS))) + 1
    # Of a first delivery the broker says nothing, and what the header says then comes from the publisher.
    deliveries = h.read_number(fields.get(_DELIVERY_COUNT)) if incoming.redelivered else 0
    return Message(envelope, body, attempt), deliveries


def _text(fields: h.Fields, name: bytes, most: int = _LONGEST_HEADER) -> str:
    """Return the text of a header; empty when there is none, or something else than text."""
    field = fields.get(name)
    if field is None:
        return ""
    value = h.read_text(field)
    if len(value) > most:
        raise Unreadable(f"Header {name.decode()} has more than {most} characters.", "Correct the publisher.")
    return value


def _envelope(fields: h.Fields, type_name: str) -> Envelope:
    identifier = _text(fields, _ID, h.LONGEST_SHORT_TEXT)
    if not identifier:
        raise Unreadable("Header cloudEvents_id is missing or not text.", "Correct the publisher.")
    version = fields.get(_SPECVERSION)
    if version != _VERSION_1_0 and not (h.read_text(version) or "1.0").startswith("1."):
        raise Unreadable("Header cloudEvents_specversion is not 1.0.", "Correct the publisher.")
    written = h.read_text(fields.get(_TIME))
    try:
        moment = datetime.fromisoformat(written) if written else datetime.now(UTC)
    except ValueError as error:
        raise Unreadable("Header cloudEvents_time is not an RFC 3339 time.", "Correct the publisher.") from error
    traceparent = h.read_text(fields.get(_TRACEPARENT))
    if traceparent and not _TRACE.fullmatch(traceparent):
        traceparent = ""
    return Envelope(
        id=identifier,
        source=_text(fields, _SOURCE),
        type=type_name,
        time=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        subject=_text(fields, _SUBJECT),
        correlation_id=_text(fields, _CORRELATION) or identifier,
        causation_id=_text(fields, _CAUSATION),
        traceparent=traceparent,
        tracestate=_text(fields, _TRACESTATE) if traceparent else "",
    )


def names(fields: h.Fields) -> tuple[str, str]:
    """Return CloudEvents id and type of a message as far as they can be read, shortened, for logs."""
    return h.read_text(fields.get(_ID))[:64], h.read_text(fields.get(_TYPE))[:64]


class _Form(Struct):
    """What all messages of one type from one service have in common."""

    type_name: str
    exchange: str
    routing_key: str
    headers: bytes
    """Entries of the header table."""
    must_route: bool


class Encoder:
    """Makes the messages that one service publishes.

    Parameters
    ----------
    row:
        The service.
    table:
        All services, since an event that one of them takes must find a queue.
    most:
        Bytes that a body may have.
    """

    def __init__(self, row: Row, table: Sequence[Row], most: int) -> None:
        self._most = most
        self._service = row.name
        taken = {body for other in table for body in other.consumes}
        self._forms = {body: _form(row.name, body, taken=body in taken) for body in row.publishes}

    def caused(self, cause: Envelope, bodies: Sequence[Body]) -> list[Outgoing]:
        """Return what is published because of a message.

        The ids derive from the cause's, so that a second delivery of it makes the same messages.

        Raises
        ------
        TypeError
            A body is of a type that the service's row does not publish.
        Permanent
            A body is too large.
        """
        result = []
        for index, body in enumerate(bodies):
            form = self._form(body)
            seed = f"{self._service}\n{cause.id}\n{index}\n{form.type_name}"
            identifier = hashlib.blake2b(seed.encode(), digest_size=16).hexdigest()
            more = (h.entry(_OPEN_CAUSATION, cause.id), *_trace(cause, identifier))
            # What is about one order says so itself: it may follow from a message about its customer, or another order.
            ref: OrderRef | None = getattr(body, "ref", None)
            if ref is None:
                publication = Publication(body, identifier, cause.correlation_id, cause.subject)
            else:
                publication = Publication(body, identifier, ref.correlation_id, ref.subject)
            result.append(self._message(form, publication, more))
        return result

    def first(self, publication: Publication) -> Outgoing:
        """Return a message that nothing caused.

        Raises
        ------
        TypeError
            The body is of a type that the service's row does not publish.
        ValueError
            The id is empty or longer than the broker allows.
        Permanent
            The body is too large.
        """
        if not 0 < len(publication.id.encode()) <= h.LONGEST_SHORT_TEXT:
            raise ValueError("a publication's id has 1 to 255 octets")
        return self._message(self._form(publication.body), publication, ())

    def _form(self, body: Body) -> _Form:
        form = self._forms.get(type(body))
        if form is None:
            raise TypeError(f"{self._service} does not publish {type(body).__name__}")
        return form

    def _message(self, form: _Form, publication: Publication, more: Sequence[bytes]) -> Outgoing:
        octets = _json.encode(publication.body)
        if len(octets) > self._most:
            raise Permanent(
                f"The {form.type_name} to publish has {len(octets)} bytes, more than the {self._most} allowed.",
                "Raise broker.max_message_bytes on every service, or make the order smaller.",
            )
        entries = [
            form.headers,
            h.entry(_OPEN_ID, publication.id),
            _time(time.time_ns() // 1_000_000),
            h.entry(_OPEN_CORRELATION, publication.correlation_id),
            *more,
        ]
        if publication.subject:
            entries.append(h.entry(_OPEN_SUBJECT, publication.subject))
        properties = h.properties(
            h.enclosed(*entries),
            content_type=CONTENT_TYPE,
            message_id=publication.id,
            correlation_id=publication.correlation_id,
        )
        return Outgoing(form.exchange, form.routing_key, properties, octets, publication.id, form.must_route)


def _form(service: str, body: type[Body], *, taken: bool) -> _Form:
    topic = TOPIC_OF[body]
    headers = (
        h.entry(h.opening(_SPECVERSION), "1.0"),
        h.entry(h.opening(_TYPE), topic.type_name),
        h.entry(h.opening(_SOURCE), f"/orderbus/{service}"),
        h.entry(h.opening(_DATASCHEMA), f"urn:orderbus:schema:{topic.type_name}"),
    )
    must_route = taken or topic.exchange == COMMANDS
    return _Form(topic.type_name, topic.exchange, topic.routing_key, b"".join(headers), must_route)


@lru_cache(maxsize=1)
def _time(milliseconds: int) -> bytes:
    """Return the header entry of a moment since 1970; the messages of a millisecond share it."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return h.entry(_OPEN_TIME, f"{moment[:-6]}Z")


def _trace(cause: Envelope, identifier: str) -> tuple[bytes, ...]:
    """Return the trace context of the next hop: same trace, and a span named after the new message."""
    if not cause.traceparent:
        return ()
    version, trace, _, flags = cause.traceparent.split("-")
    parent = h.entry(_OPEN_TRACEPARENT, f"{version}-{trace}-{identifier[:16]}-{flags}")
    return (parent, h.entry(_OPEN_TRACESTATE, cause.tracestate)) if cause.tracestate else (parent,)
