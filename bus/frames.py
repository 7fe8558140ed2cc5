"""AMQP 0-9-1 frames of messages, cut from the stream and composed: the hot path of the wire.

Whatever is not a message (handshake, declarations, heartbeats) is left to py-amqp.
"""

from struct import Struct as Layout

from msgspec import Struct

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
"""Types of frame."""
_END = 0xCE
_OVERHEAD = 8

CHANNEL_CLOSE = b"\x00\x14\x00\x28"
CANCEL = b"\x00\x3c\x00\x1e"
_PUBLISH = b"\x00\x3c\x00\x28"
RETURN = b"\x00\x3c\x00\x32"
DELIVER = b"\x00\x3c\x00\x3c"
ACK = b"\x00\x3c\x00\x50"
NACK = b"\x00\x3c\x00\x78"

HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"

Frame = tuple[int, int, bytes]
"""Type, channel and payload."""

_frame = Layout(">BHI")
_tag = Layout(">Q")
_tag_and_bits = Layout(">QB")
_content = Layout(">BHIHHQ")
_acknowledge = Layout(">BHI4sQBB")


class Incoming(Struct, gc=False):
    """A message as the broker delivered it."""

    tag: int
    exchange: str
    routing_key: str
    properties: bytes
    """Raw, see `bus.headers`."""
    body: bytes
    epoch: int = 0
    """Which opening of the channel delivered it; tags start anew with each."""
    redelivered: bool = False


class Outgoing(Struct, gc=False):
    """A message as it is published."""

    exchange: str
    routing_key: str
    properties: bytes
    """Raw, see `bus.headers`."""
    body: bytes
    message_id: str
    must_route: bool = True
    """Whether it is a failure that no queue takes it."""


def cut(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the complete frames at the front of what was read, and the rest.

    Raises
    ------
    ConnectionAbortedError
        The stream is not AMQP.
    """
    frames: list[Frame] = []
    at, size = 0, len(data)
    while size - at >= _OVERHEAD:
        kind, channel, length = _frame.unpack_from(data, at)
        start = at + 7
        end = start + length
        if end >= size:
            break
        if data[end] != _END:
            raise ConnectionAbortedError("what arrived is not AMQP")
        frames.append((kind, channel, data[start:end]))
        at = end + 1
    return frames, data[at:]


class Contents:
    """Puts together the frames of which one channel's messages consist: method, properties, body in pieces."""

    __slots__ = ("_chunks", "_method", "_missing", "_properties")

    def __init__(self) -> None:
        self._method = b""
        self._properties = b""
        self._chunks: list[bytes] = []
        self._missing = 0

    def begin(self, method: bytes) -> None:
        """Take the method that announces a message."""
        self._method = method

    def add(self, kind: int, payload: bytes) -> tuple[bytes, bytes, bytes] | None:
        """Take a header or body frame; return method, properties and body once the message is complete."""
        if kind == HEADER:
            self._missing = _tag.unpack_from(payload, 4)[0]
            self._properties = payload[12:]
            self._chunks = []
        else:
            self._missing -= len(payload)
            self._chunks.append(payload)
        if self._missing > 0:
            return None
        chunks = self._chunks
        return self._method, self._properties, chunks[0] if len(chunks) == 1 else b"".join(chunks)


def delivered(method: bytes, properties: bytes, body: bytes, epoch: int) -> Incoming:
    """Return the message of a ``basic.deliver``."""
    at = 5 + method[4]
    exchange_at = at + 10
    key_at = exchange_at + method[exchange_at - 1] + 1
    return Incoming(
        _tag.unpack_from(method, at)[0],
        method[exchange_at : key_at - 1].decode(),
        method[key_at : key_at + method[key_at - 1]].decode(errors="replace"),
        properties,
        body,
        epoch,
        method[exchange_at - 2] == 1,
    )


def returned(method: bytes) -> tuple[str, str, str]:
    """Return reply text, exchange and routing key of a ``basic.return``."""
    texts = []
    at = 6
    for _ in range(3):
        after = at + 1 + method[at]
        texts.append(method[at + 1 : after].decode(errors="replace"))
        at = after
    return texts[0], texts[1], texts[2]


def confirmed(method: bytes) -> tuple[int, bool]:
    """Return the delivery tag of a ``basic.ack`` or ``basic.nack`` and whether it speaks for all before it too."""
    tag, bits = _tag_and_bits.unpack_from(method, 4)
    return tag, bool(bits & 1)


def publish(channel: int, exchange: str, routing_key: str) -> bytes:
    """Return the method frame of a mandatory ``basic.publish``."""
    names = b"".join(bytes((len(octets),)) + octets for octets in (exchange.encode(), routing_key.encode()))
    method = _PUBLISH + b"\0\0" + names + b"\x01"
    return _frame.pack(METHOD, channel, len(method)) + method + b"\xce"


def content(channel: int, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """Return the header and body frames of a message."""
    size = len(body)
    header = _content.pack(HEADER, channel, 12 + len(properties), 60, 0, size) + properties
    most = frame_max - _OVERHEAD
    if size <= most:
        if not size:
            return header + b"\xce"
        return b"".join((header, b"\xce", _frame.pack(BODY, channel, size), body, b"\xce"))
    parts = [header, b"\xce"]
    for start in range(0, size, most):
        chunk = body[start : start + most]
        parts += (_frame.pack(BODY, channel, len(chunk)), chunk, b"\xce")
    return b"".join(parts)


def fits(properties: bytes, frame_max: int) -> bool:
    """Whether properties fit into the one frame that may carry them."""
    return 12 + len(properties) <= frame_max - _OVERHEAD


def ack(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Return the frame of a ``basic.ack``."""
    return _acknowledge.pack(METHOD, channel, 13, ACK, tag, multiple, _END)
