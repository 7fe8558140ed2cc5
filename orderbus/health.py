"""What a supervisor and Prometheus ask a process: is it alive, is it ready, what has it done.

Three answers to GET need no web framework, which would cost each process 11 MB and a sixth of a second at its start.
They come from the event loop, so that a process whose loop is stuck does not answer either.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import msgspec
from msgspec import Struct
from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from schemas.failures import Failure

LONGEST_REQUEST = 16_384
"""Bytes that a request may have, its headers included."""
PATIENCE = 5.0
"""Seconds within which a request must have come and its answer be taken."""


class AddressTaken(Failure):
    """The address to serve on cannot be had."""


class _Answer(Struct, frozen=True):
    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + self.body


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    *,
    problems: Callable[[], Sequence[str]],
    alive: Callable[[], bool],
    registry: CollectorRegistry = REGISTRY,
) -> AsyncIterator[int]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` while the context lasts; its value is the port.

    Parameters
    ----------
    host:
        Address to listen on.
    port:
        TCP port; 0 takes a free one.
    problems:
        What stands in the way of work, each in a sentence; none means ready.
    alive:
        Whether the process can go on by itself; ``False`` asks the supervisor to start it anew.
    registry:
        The metrics.

    Raises
    ------
    AddressTaken
        Another process listens there, or the address is not this machine's.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter, which nobody asks for

    def answer(path: str, accept: str) -> _Answer:
        match path:
            case "/metrics":
                encode, content_type = choose_encoder(accept)
                return _Answer(HTTPStatus.OK, encode(registry), content_type)
            case "/healthz":
                living = alive()
                return _said(living, {"alive": living})
            case "/readyz":
                found = list(problems())
                return _said(not found, {"ready": not found, "problems": found})
        return _Answer(HTTPStatus.NOT_FOUND, b"")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):  # whoever asks has gone, or is too slow
            async with asyncio.timeout(PATIENCE):
                writer.write((await _answered(reader, answer)).encoded())
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(connected, host, port, limit=LONGEST_REQUEST)
    except OSError as error:
        raise refused_address(host, port, error) from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _answered(reader: asyncio.StreamReader, answer: Callable[[str, str], _Answer]) -> _Answer:
    """Read a request up to the end of its headers, and return what is answered."""
    try:
        request = await reader.readuntil(b"\r\n\r\n")
        first, *headers = request.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ")
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError):
        return _Answer(HTTPStatus.BAD_REQUEST, b"")
    if method != "GET":
        return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"")
    fields = (header.partition(":") for header in headers)
    accept = next((value.strip() for name, _, value in fields if name.lower() == "accept"), "")
    return answer(target.partition("?")[0], accept)


def _said(good: bool, body: dict[str, object]) -> _Answer:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return _Answer(status, msgspec.json.encode(body))


def refused_address(host: str, port: int, error: OSError) -> AddressTaken:
    """Return what it means that an address cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return AddressTaken(
            f"Port {port} of {host} is in use by another process.", "Choose another port, or stop that process."
        )
    reason = error.strerror or type(error).__name__
    return AddressTaken(f"Port {port} of {host} cannot be listened on ({reason}).", "Choose another address or port.")
