"""Message properties and headers as raw AMQP 0-9-1 fields.

What the bus passes on (to a retry, to the dead letters) keeps the bytes in which it came: a field is never decoded
and encoded again, since no codec maps every AMQP type to itself. A header table is a dict of names to raw fields, and
a raw field is its type octet with its value.
"""

from collections.abc import Iterable, Mapping
from struct import Struct as Layout

ATTEMPTS = "orderbus-attempts"
"""Tries that failed so far; whoever sends a dead letter again leaves it out, to start anew."""
WAITS = "orderbus-waits"
"""Tries that only found somebody else at it, which are no attempts; left out likewise."""
ORIGIN_EXCHANGE = "orderbus-origin-exchange"
"""Exchange to which the message was first published."""
ORIGIN_ROUTING_KEY = "orderbus-origin-routing-key"
FAULT_REASON = "orderbus-fault-reason"
"""Why it was dead-lettered, one of `bus.retry.Reason`."""
FAULT_EXCEPTION_TYPE = "orderbus-fault-exception-type"
FAULT_MESSAGE = "orderbus-fault-message"
"""The cause, in a sentence."""
FAULT_REMEDY = "orderbus-fault-remedy"
FAULT_SERVICE = "orderbus-fault-service"
FAULT_ATTEMPTS = "orderbus-fault-attempts"
FAULT_FIRST_FAILED_AT = "orderbus-fault-first-failed-at"
FAULT_LAST_FAILED_AT = "orderbus-fault-last-failed-at"
FAULT_HOST = "orderbus-fault-host"

DELIVERY_COUNT = "x-delivery-count"
"""How often a quorum queue has delivered the message before."""
BROKERS_OWN = frozenset(
    (
        b"x-death",
        b"x-delivery-count",
        b"x-first-death-exchange",
        b"x-first-death-queue",
        b"x-first-death-reason",
        b"x-last-death-exchange",
        b"x-last-death-queue",
        b"x-last-death-reason",
        b"CC",
        b"BCC",
    )
)
"""Headers that act on the broker when they are published again: an old ``x-death`` entry makes it take a retry for a
dead-letter cycle and drop the message, ``CC`` sends copies."""

Fields = dict[bytes, bytes]
"""A header table: names to raw fields."""

_SIZES = dict(zip(b"tbBUusIiLlfdDTV", (1, 1, 1, 2, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
_COUNTED = frozenset(b"SxAF")
_length = Layout(">I")
_NUMBERS = {
    kind: Layout(f">{code}")
    for kind, code in zip(b"bBUusIiLl", ("b", "B", "h", "H", "h", "i", "I", "q", "q"), strict=True)
}

CONTENT_TYPE = 0x8000
CONTENT_ENCODING = 0x4000
HEADERS = 0x2000
DELIVERY_MODE = 0x1000
PRIORITY = 0x0800
CORRELATION_ID = 0x0400
EXPIRATION = 0x0100
MESSAGE_ID = 0x0080
TIMESTAMP = 0x0040
USER_ID = 0x0010
_OCTETS = {DELIVERY_MODE: 1, PRIORITY: 1, TIMESTAMP: 8}
_FLAGS = tuple(1 << bit for bit in range(15, 1, -1))
_PERSISTENT = b"\x02"
LONGEST_SHORT_TEXT = 255
"""Octets that a property such as ``message_id`` may have."""


def text(value: str) -> bytes:
    r"""Return a raw field that holds text.

    >>> text("né")
    b'S\x00\x00\x00\x03n\xc3\xa9'
    """
    octets = value.encode()
    return b"S" + len(octets).to_bytes(4, "big") + octets


def number(value: int) -> bytes:
    """Return a raw field that holds a signed number of 64 bits."""
    return b"l" + value.to_bytes(8, "big", signed=True)


def read_text(field: bytes | None) -> str:
    """Return the text of a raw field; empty when there is none, or something else than text.

    >>> read_text(text("né")), read_text(number(1)), read_text(None)
    ('né', '', '')
    """
    return field[5:].decode("utf-8", "replace") if field and field[0] == 0x53 else ""


def read_number(field: bytes | None) -> int:
    """Return the number of a raw field; 0 when there is none, or something else than a whole number.

    >>> read_number(number(-7)), read_number(text("7")), read_number(None)
    (-7, 0, 0)
    """
    layout = _NUMBERS.get(field[0]) if field else None
    value: int = layout.unpack_from(field, 1)[0] if layout and field else 0
    return value


def opening(name: bytes) -> bytes:
    """Return how the entry of a text begins in a header table, for `entry`: name and type."""
    return bytes((len(name),)) + name + b"S"


def entry(opened: bytes, value: str) -> bytes:
    """Return the entry of a text in a header table.

    >>> read_table(enclosed(entry(opening(b"subject"), "42"))) == {b"subject": text("42")}
    True
    """
    octets = value.encode()
    return opened + _length.pack(len(octets)) + octets


def enclosed(*entries: bytes) -> bytes:
    """Return a header table of entries, as it travels."""
    octets = b"".join(entries)
    return _length.pack(len(octets)) + octets


def table(fields: Mapping[bytes, bytes]) -> bytes:
    """Return a header table as it travels, its length included."""
    return enclosed(*[bytes((len(name),)) + name + field for name, field in fields.items()])


def read_table(octets: bytes, start: int = 0) -> Fields:
    """Return the fields of the header table that begins (with its length) at `start`.

    Raises
    ------
    ValueError
        The table is cut short or holds a type that AMQP 0-9-1 does not have.
    """
    at = start + 4
    end = at + int.from_bytes(octets[start:at], "big")
    if end > len(octets):
        raise ValueError("header table is cut short")
    fields: Fields = {}
    while at < end:
        value = at + 1 + octets[at]
        if value >= end:
            raise ValueError("header table is cut short")
        kind = octets[value]
        if kind in _COUNTED:
            after = value + 5
            if after <= end:
                after += _length.unpack_from(octets, value + 1)[0]
        elif kind in _SIZES:
            after = value + 1 + _SIZES[kind]
        else:
            raise ValueError("header table holds an unknown type")
        if after > end:
            raise ValueError("header table is cut short")
        fields[octets[at + 1 : value]] = octets[value:after]
        at = after
    return fields


def read_headers(properties: bytes) -> Fields:
    """Return the header table of a message's raw properties; empty when it carries none.

    Raises
    ------
    ValueError
        The properties cannot be read.
    """
    flags = int.from_bytes(properties[:2], "big")
    if not flags & HEADERS:
        return {}
    at = 2
    for flag in (CONTENT_TYPE, CONTENT_ENCODING):
        if flags & flag:
            at += 1 + properties[at]
    return read_table(properties, at)


def properties(headers: bytes, *, content_type: str, message_id: str, correlation_id: str) -> bytes:
    """Return the raw properties of a persistent message.

    Parameters
    ----------
    headers:
        Its header table, see `table`.
    content_type, message_id, correlation_id:
        Up to `LONGEST_SHORT_TEXT` octets each; a correlation id that is empty or longer is left out.
    """
    flags = CONTENT_TYPE | HEADERS | DELIVERY_MODE | MESSAGE_ID
    parts = [b"", _short(content_type), headers, _PERSISTENT]
    if correlation_id and len(correlation_id.encode()) <= LONGEST_SHORT_TEXT:
        flags |= CORRELATION_ID
        parts.append(_short(correlation_id))
    parts.append(_short(message_id))
    parts[0] = flags.to_bytes(2, "big")
    return b"".join(parts)


def passed_on(raw: bytes, *, without: Iterable[bytes] = (), changed: Mapping[bytes, bytes]) -> bytes:
    """Return a message's raw properties for publishing it again, all but a few of them untouched.

    Left out are ``expiration`` (a dead letter must not expire) and ``user_id`` (the broker closes the channel of
    whoever publishes another user's); the message becomes persistent.

    Parameters
    ----------
    raw:
        The properties as they came.
    without:
        Headers to leave out.
    changed:
        Headers to add or replace.

    Raises
    ------
    ValueError
        The properties cannot be read.
    """
    values = _split(raw)
    fields = read_headers(raw)
    for name in without:
        fields.pop(name, None)
    fields.update(changed)
    values[HEADERS] = table(fields)
    values[DELIVERY_MODE] = _PERSISTENT
    values.pop(EXPIRATION, None)
    values.pop(USER_ID, None)
    return sum(values).to_bytes(2, "big") + b"".join(values[flag] for flag in _FLAGS if flag in values)


def read_message_id(raw: bytes) -> str:
    """Return the ``message_id`` of a message's raw properties; empty when it carries none."""
    return _split(raw).get(MESSAGE_ID, b"\0")[1:].decode(errors="replace")


def _short(value: str) -> bytes:
    octets = value.encode()
    return bytes((len(octets),)) + octets


def _split(raw: bytes) -> dict[int, bytes]:
    """Return the raw value of each property that is there, by its flag."""
    flags = int.from_bytes(raw[:2], "big")
    values: dict[int, bytes] = {}
    at = 2
    for flag in _FLAGS:
        if not flags & flag:
            continue
        if flag == HEADERS:
            after = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        elif flag in _OCTETS:
            after = at + _OCTETS[flag]
        else:
            after = at + 1 + raw[at] if at < len(raw) else len(raw) + 1
        if after > len(raw):
            raise ValueError("properties are cut short")
        values[flag] = raw[at:after]
        at = after
    return values
