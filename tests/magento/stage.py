"""A web server that answers as a test tells it to, for what no sane shop does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Stage:
    """Answers each request with the next of its answers; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[Answering] = []
        self.seen: list[tuple[str, str, str]] = []
        """Method, path and raw query of each request."""
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.url = ""

    def then(self, *answers: Answering) -> None:
        """Add answers."""
        self.answers.extend(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.seen.append((request.method, request.path, request.rel_url.raw_query_string))
        self.headers.append(dict(request.headers))
        raw = await request.read()
        self.bodies.append(msgspec.json.decode(raw) if raw else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def says(status: int, body: Any = None, *, text: str | bytes | None = None, **headers: str) -> Answering:
    """Return an answer: JSON by default, else the given text."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        payload = text.encode() if isinstance(text, str) else text
        if payload is None:
            payload, kind = msgspec.json.encode(body), "application/json"
        else:
            kind = "text/html"
        return web.Response(status=status, body=payload, headers={"Content-Type": kind, **named})

    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    """Begin an answer and cut it short."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.close()
    return response


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Serve a stage on a free port."""
    stage = Stage()
    application = web.Application(client_max_size=10**8)
    application.router.add_route("*", "/{path:.*}", stage.handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stage.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stage
    await runner.cleanup()
