"""A TCP proxy between a client and a server, through which a test makes network faults ordinary events."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Direction = Literal["to_server", "to_client"]
_CHUNK = 65_536


class Proxy:
    """Passes bytes between whoever connects to it and a server, until told otherwise.

    Runs in a thread of its own, so that a test of any kind can use it. Every method takes effect before it returns.

    Parameters
    ----------
    host, port:
        The server.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: set[_Link] = set()
        self._refusing = False
        self._stalled: set[Direction] = set()
        self._delay = 0.0
        self._counted: dict[Direction, int] = {"to_server": 0, "to_client": 0}
        self._accepted = self._attempted = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.host = "127.0.0.1"
        self.port: int = self._server.sockets[0].getsockname()[1]

    # Faults

    def cut(self) -> None:
        """Reset every connection (RST to both sides), as a firewall or a crashed machine does."""
        self._call(self._cut())

    def refuse(self) -> None:
        """Reset every connection, and each new one at once, until `restore`."""
        self._call(self._set(refusing=True))
        self.cut()

    def stall(self, *directions: Direction) -> None:
        """Stop passing bytes on, in both directions by default: nobody is told, and nothing more is read.

        In one direction only this is a half-open connection: one side goes on hearing the other, which hears nothing.
        """
        self._call(self._set(stalled=set(directions or ("to_server", "to_client"))))

    def delay(self, seconds: float) -> None:
        """Pass bytes on so much later, in both directions; 0 ends it."""
        self._call(self._set(delay=seconds))

    def abandon(self) -> None:
        """Drop the server's side of every connection and leave the client's open and silent."""
        self._call(self._abandon())

    def restore(self) -> None:
        """End refusing, stalling and delaying; bytes that were held go on."""
        self._call(self._set(refusing=False, stalled=set(), delay=0.0))

    # What went through

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    @property
    def accepted(self) -> int:
        """How many connections there were in all, refused ones not counted."""
        return self._accepted

    @property
    def attempted(self) -> int:
        """How many connections were tried in all, whatever became of them."""
        return self._attempted

    def count(self, direction: Direction) -> int:
        """Return how many bytes were passed on."""
        return self._counted[direction]

    def close(self) -> None:
        """End the proxy with all its connections."""
        if self._loop.is_closed():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the proxy's own thread

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _listen(self) -> asyncio.Server:
        self._changed = asyncio.Condition()
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _set(
        self, *, refusing: bool | None = None, stalled: set[Direction] | None = None, delay: float | None = None
    ) -> None:
        async with self._changed:
            self._refusing = self._refusing if refusing is None else refusing
            self._stalled = self._stalled if stalled is None else stalled
            self._delay = self._delay if delay is None else delay
            self._changed.notify_all()

    async def _cut(self) -> None:
        links = list(self._links)
        for link in links:
            link.reset()
        await asyncio.gather(*(link.ended.wait() for link in links))

    async def _end(self) -> None:
        self._server.close()
        await self._cut()

    async def _abandon(self) -> None:
        for link in self._links:
            link.abandoned = True
            _reset(link.server)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._attempted += 1
        if self._refusing:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self._accepted += 1
        link = _Link(client=writer, server=server_writer)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._pass_on(link, reader, server_writer, "to_server")),
            asyncio.create_task(self._pass_on(link, server_reader, writer, "to_client")),
        ]
        link.ways = ways
        await asyncio.gather(*ways, return_exceptions=True)
        _reset(server_writer)
        _reset(writer)
        self._links.discard(link)
        link.ended.set()

    async def _pass_on(
        self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """Pass bytes on in one direction until the connection ends there."""
        arriving: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        receiving = asyncio.create_task(self._receive(reader, arriving, direction))
        try:
            while True:
                arrived_at, chunk = await arriving.get()
                async with self._changed:
                    while direction in self._stalled or (left := arrived_at + self._delay - self._loop.time()) > 0:
                        limit = None if direction in self._stalled else left
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._changed.wait(), limit)
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
                self._counted[direction] += len(chunk)
            if not link.abandoned:
                with contextlib.suppress(OSError):
                    writer.write_eof()
        except OSError:
            if not link.abandoned:
                link.reset()
        finally:
            receiving.cancel()
        if link.abandoned:
            await asyncio.Event().wait()  # until the link is reset

    async def _receive(
        self, reader: asyncio.StreamReader, arriving: "asyncio.Queue[tuple[float, bytes]]", direction: Direction
    ) -> None:
        chunk = b"-"
        while chunk:
            async with self._changed:
                await self._changed.wait_for(lambda: direction not in self._stalled)
            try:
                chunk = await reader.read(_CHUNK)
            except OSError:
                chunk = b""
            await arriving.put((self._loop.time(), chunk))


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.ways: list[asyncio.Task[None]] = []
        self.abandoned = False
        self.ended = asyncio.Event()

    def reset(self) -> None:
        """Reset both sides and end."""
        _reset(self.client)
        _reset(self.server)
        for way in self.ways:
            way.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST: what was not sent is dropped."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    """Run a proxy to a server while the context lasts."""
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
