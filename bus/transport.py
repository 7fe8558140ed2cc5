"""kombu's pyamqp transport with buffers of its own, so that one thread can turn over it without ever blocking.

What has been read and not yet used lies in one buffer, visible to whoever waits (TLS hides bytes from ``select``);
what could not be sent yet lies in another, so that no frame is ever sent in part and then abandoned.
"""

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import amqp.transport
import kombu.connection
from kombu.transport import pyamqp

from bus.frames import HEARTBEAT_FRAME, Frame, cut

TCP_USER_TIMEOUT = 60_000
"""Milliseconds; py-amqp's default of one second kills a publisher when the broker raises a memory alarm."""
_CHUNK = 65_536
"""Bytes asked for at once."""
_TURN = 4 * _CHUNK
"""Bytes taken from the socket before the turn goes on to other work: about a hundred orders, whose outputs then leave
in one `send`."""
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class _Buffered:
    """Buffered reading and writing over a non-blocking socket, for plain TCP and TLS alike."""

    sock: Any
    connected: bool

    def _setup_transport(self) -> None:
        super()._setup_transport()  # type: ignore[misc]
        self.sock.setblocking(False)
        self.frames: deque[Frame] = deque()
        self.unsent = bytearray()
        self.held = False
        """While the broker does not read (``connection.blocked``), nothing is sent."""
        self.more = False
        """Whether the last `fill` stopped before the socket was empty."""
        self.heard = self.spoke = time.monotonic()
        self._rest = b""

    def _write(self, octets: bytes) -> None:
        self.write(octets)

    def write(self, octets: bytes | memoryview) -> None:
        """Take a frame for sending (py-amqp lends its own buffer: it is copied) and send what can be sent."""
        self.unsent += octets
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket takes."""
        while self.unsent and not self.held:
            try:
                # TLS must be offered at least what it was offered before: all of the buffer, never a slice.
                sent = self.sock.send(self.unsent)
            except _WOULD_BLOCK:
                return
            del self.unsent[:sent]
            self.spoke = time.monotonic()

    def fill(self) -> bool:
        """Read what is there and cut it into frames; return whether anything came.

        Raises
        ------
        ConnectionError
            The other side closed the connection.
        """
        taken = 0
        self.more = False
        while taken < _TURN:
            try:
                chunk = self.sock.recv(_CHUNK)
            except _WOULD_BLOCK:
                break
            if not chunk:
                self.connected = False
                raise ConnectionResetError("the broker closed the connection")
            frames, self._rest = cut(self._rest + chunk if self._rest else chunk)
            self.frames += frames
            taken += len(chunk)
        else:
            self.more = True
        if taken:
            self.heard = time.monotonic()
        return taken > 0

    def beat(self) -> None:
        """Send a heartbeat, unless bytes that wait already say the same once they get through."""
        if not self.unsent:
            self.write(HEARTBEAT_FRAME)

    def await_frame(self, timeout: float) -> Frame:
        """Return the next frame, waiting for it while sending what is to be sent.

        Raises
        ------
        socket.timeout
            None came in time.
        """
        until = time.monotonic() + timeout
        while not self.frames:
            self.flush()
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the broker did not answer in time")
            if not self.fill():
                select.select([self.sock], [self.sock] if self.unsent else [], [], min(left, 1.0))
        return self.frames.popleft()


class _Tcp(_Buffered, amqp.transport.TCPTransport):  # type: ignore[misc]
    pass


class _Tls(_Buffered, amqp.transport.SSLTransport):  # type: ignore[misc]
    def _shutdown_transport(self) -> None:
        """Leave out the TLS good-bye: on a socket that does not block it cannot be waited for."""


class Connection(pyamqp.Connection):
    """py-amqp's connection; frames of a channel in `routes` go there, all others to py-amqp."""

    def __init__(self, *args: Any, answer_timeout: float = 10.0, **options: Any) -> None:
        self.routes: dict[int, Callable[[int, bytes], bool]] = {}
        self._answer_timeout = answer_timeout
        super().__init__(*args, **options)

    def Transport(self, host: str, connect_timeout: float, ssl: Any = False, *args: Any, **options: Any) -> Any:  # noqa: N802, ARG002 - py-amqp's signature
        """Return the transport to use."""
        return (_Tls if ssl else _Tcp)(host, connect_timeout=connect_timeout, ssl=ssl, **options)

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read and handle one frame; py-amqp calls this wherever it waits for an answer."""
        return self.take(self.transport.await_frame(self._answer_timeout if timeout is None else timeout))

    def take(self, frame: Frame) -> Any:
        """Handle one frame."""
        kind, channel, payload = frame
        route = self.routes.get(channel)
        if route is not None and route(kind, payload):
            return None
        return self.on_inbound_frame(frame)


class Transport(pyamqp.Transport):
    """kombu's transport with the connection above."""

    Connection = Connection


def client(url: str, **options: Any) -> Any:
    """Return kombu's client for a URL; it does not connect yet."""
    return kombu.connection.Connection(url, **options)  # type: ignore[no-untyped-call]


def socket_settings() -> dict[int, int]:
    """Return the TCP options to set beside py-amqp's own."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    return {} if option is None else {option: TCP_USER_TIMEOUT}
