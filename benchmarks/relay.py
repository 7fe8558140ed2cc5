"""A relay between services and a simulator that notes when the simulator had a request in hand."""

import asyncio
import threading
import time
from types import TracebackType
from urllib.parse import urlsplit

from msgspec import Struct

_CHUNK = 65_536
_HEAD = 1024


class Exchange(Struct):
    """A request and its answer, on one kept-alive connection."""

    head: bytes
    """The first bytes of the request."""
    begun: float
    """When the request arrived here, `time.perf_counter`."""
    ended: float = 0.0
    """When the last byte of the answer so far was passed on; 0 while there is none."""


class Relay:
    """Passes bytes between its clients and a server, for the length of a ``with`` block, in a thread of its own.

    Parameters
    ----------
    url:
        The server, ``http://host:port``.
    """

    def __init__(self, url: str) -> None:
        self.exchanges: list[Exchange] = []
        """In the order in which they began."""
        self.url = ""
        """Where it listens."""
        self._server = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> "Relay":
        self._thread.start()
        listening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._server.hostname, self._server.port)
        current: list[Exchange] = []

        async def requests() -> None:
            while chunk := await reader.read(_CHUNK):
                if not current or current[-1].ended:
                    current[:] = [Exchange(b"", time.perf_counter())]
                    self.exchanges.append(current[-1])
                one = current[-1]
                if len(one.head) < _HEAD:
                    one.head += chunk[:_HEAD]
                to_server.write(chunk)
            to_server.close()

        async def answers() -> None:
            while chunk := await from_server.read(_CHUNK):
                writer.write(chunk)
                if current:
                    current[-1].ended = time.perf_counter()
            writer.close()

        await asyncio.gather(requests(), answers(), return_exceptions=True)
