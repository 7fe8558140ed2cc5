"""The simulated shop as a server: ``/rest/...`` answers as Magento does, ``/_simulator/...`` shows and sets it up.

`Simulator` starts and stops one in the running event loop; nothing happens on import.
"""

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, Self

import msgspec
from aiohttp import web

from . import answers, customers, query, rows, seed
from .access import Gate, allow, unauthorized
from .answers import ApiError
from .call import Call
from .clock import Clock
from .config import SimulatorConfig, Store
from .faults import WRITES, Faults, Injector, Kind
from .routes import Match, Router, routes_of
from .shop import Shop
from .state import State, unpacked
from .stores import Stores

LOG = logging.getLogger(__name__)
MAX_BODY = 8 * 1024 * 1024
PAGE = 10_000
_VERSION = re.compile(r"V\d+")


class Simulator:
    """One simulated shop.

    Use it as ``async with Simulator(config) as shop: ... shop.url``, or call `start` and `stop`.
    """

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.url = ""
        """Base URL while it runs, e.g. ``http://127.0.0.1:8080``."""
        self._runner: web.AppRunner | None = None
        self._state: State | None = None

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop it."""
        await self.stop()

    async def start(self) -> str:
        """Open the database, listen, and return the base URL.

        Raises
        ------
        OSError
            When the port is taken.
        """
        clock = Clock()
        state = State(self.config.database, clock)
        self._state = state
        self.injector = Injector(self.config.faults, clock)
        self.shop = Shop(self.config, state, Stores(self.config))
        customers.index_attributes(self.shop)
        seed.seed_customers(self.shop)
        gate = Gate(self.config, state, self.injector)
        self._rest = Rest(self.shop, self.injector, gate)
        app = web.Application(client_max_size=MAX_BODY)

        async def dated(_request: web.Request, response: web.StreamResponse) -> None:
            # One machine, one clock: a shop whose clock is wrong says so in this header too.
            response.headers["Date"] = formatdate(clock.epoch(), usegmt=True)

        app.on_response_prepare.append(dated)
        app.router.add_route("*", "/rest{tail:.*}", self._rest.handle)
        app.router.add_get("/_simulator/orders", self._orders)
        app.router.add_post("/_simulator/orders", self._load_orders)
        app.router.add_get("/_simulator/customers", self._customers)
        app.router.add_get("/_simulator/faults", self._faults)
        app.router.add_post("/_simulator/faults", self._set_faults)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, self.config.host, self.config.port)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self.url

    async def stop(self) -> None:
        """Close the connections and the database; the state of a file stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._state is not None:
            self._state.close()
            self._state = None

    async def _faults(self, _request: web.Request) -> web.Response:
        return _plain(msgspec.to_builtins(self.injector.left()))

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Change the faults that the body names; the others stay, and the random sequence begins anew."""
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            faults = msgspec.convert({**msgspec.to_builtins(self.injector.left()), **given}, Faults)
        except (msgspec.ValidationError, msgspec.DecodeError) as problem:
            return _plain({"message": str(problem)}, 400)
        self.injector.set(faults)
        return _plain(msgspec.to_builtins(faults))

    async def _orders(self, request: web.Request) -> web.Response:
        """List orders; ``?after=ID`` continues behind one, a page holds at most ``limit``."""
        names = (
            "entity_id", "increment_id", "store_id", "state", "status", "customer_id", "customer_email",
            "customer_is_guest", "ext_order_id", "order_currency_code", "grand_total", "tax_amount",
            "base_grand_total", "base_tax_amount", "created_at", "updated_at",
        )  # fmt: skip
        found, total = self._page(request, "sales_order", "entity_id")
        docs = [unpacked(row["doc"]) for row in found]
        return _plain({"orders": [{name: doc.get(name) for name in names} for doc in docs], "total": total})

    async def _customers(self, request: web.Request) -> web.Response:
        """List customers with their custom attributes, like the orders page by page."""
        names = (
            "id",
            "email",
            "website_id",
            "store_id",
            "group_id",
            "firstname",
            "lastname",
            "created_at",
            "updated_at",
        )
        found, total = self._page(request, "customer", "id")
        shown = [
            {name: doc.get(name) for name in names} | {"attributes": unpacked(row["attributes"])}
            for row in found
            for doc in (unpacked(row["doc"]),)
        ]
        return _plain({"customers": shown, "total": total})

    def _page(self, request: web.Request, table: str, key: str) -> tuple[list[sqlite3.Row], int]:
        try:
            after = int(request.query.get("after", "0"))
            limit = min(max(int(request.query.get("limit", PAGE)), 1), PAGE)
        except ValueError as problem:
            raise web.HTTPBadRequest(text="after and limit are numbers") from problem
        state = self.shop.state
        found = state.all(f"SELECT * FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?", after, limit)  # noqa: S608 - names of the schema
        return found, state.all(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names of the schema

    async def _load_orders(self, request: web.Request) -> web.Response:
        """Load historic orders quickly; a loading aid that a shop has no equal of."""
        try:
            batch = msgspec.json.decode(await request.read(), type=seed.Batch)
        except (msgspec.ValidationError, msgspec.DecodeError) as problem:
            return _plain({"message": str(problem)}, 400)
        if batch.store_id not in self.shop.stores.by_id:
            return _plain({"message": f"There is no store {batch.store_id}."}, 400)
        first, last = await seed.load_orders(self.shop, batch)
        return _plain({"first": first, "last": last, "count": batch.count})

    def take_order(self, shown: dict[str, Any]) -> None:
        """Load an order as the API of a real shop showed it."""
        with self.shop.state.transaction():
            rows.take(self.shop.state, shown)

    def take_customer(self, shown: dict[str, Any], password: str | None = None) -> None:
        """Load an account as the API of a real shop showed it."""
        with self.shop.state.transaction():
            customers.take(self.shop, shown, password)


async def serve(config: SimulatorConfig) -> Simulator:
    """Start a simulated shop and return it; its `url` says where it listens."""
    simulator = Simulator(config)
    await simulator.start()
    return simulator


def _plain(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


class Rest:
    """Answers what comes to ``/rest``."""

    def __init__(self, shop: Shop, injector: Injector, gate: Gate) -> None:
        self._shop = shop
        self._injector = injector
        self._gate = gate
        self._router = Router(routes_of(gate))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, or let it meet a fault."""
        kind = self._injector.draw(request.method, request.path, time.monotonic())
        async with self._injector.worker():
            if kind == "cut_before":
                return _cut(request)
            refused = self._refuse(kind)
            if refused is not None:
                await asyncio.sleep(self._injector.latency())
                return refused
            response = await self._respond(request, kind)
        if kind == "cut":
            return _cut(request)
        return response

    def _refuse(self, kind: Kind | None) -> web.Response | None:
        """Return the answer of a fault that lies in front of Magento's API."""
        match kind:
            case "maintenance":
                return answers.page(503, answers.MAINTENANCE)
            case "bad_gateway":
                return answers.page(502, answers.BAD_GATEWAY)
            case "db_down":
                return answers.page(500, answers.DB_DOWN, "text/plain;charset=UTF-8")
            case "too_many":
                refused = answers.page(429, answers.TOO_MANY)
                if self._injector.faults.retry_after is not None:
                    refused.headers["Retry-After"] = str(self._injector.faults.retry_after)
                return refused
        return None

    async def _respond(self, request: web.Request, kind: Kind | None) -> web.Response:
        accept = request.headers.get("Accept", "")
        try:
            body = await self._answer(request, kind)
        except ApiError as problem:
            return answers.respond(problem.status, problem.body(), accept)
        except (sqlite3.Error, OverflowError):
            # What a database refuses is Magento's "Internal Error", without a reason.
            return answers.respond(500, answers.internal_error().body(), accept)
        except Exception:
            LOG.exception("the simulator could not answer %s %s", request.method, request.path)
            return answers.respond(500, answers.internal_error().body(), accept)
        fields = request.rel_url.query.get("fields")
        return answers.respond(200, body if fields is None else answers.project(body, fields), accept)

    async def _answer(self, request: web.Request, kind: Kind | None) -> Any:
        store, path = self._scope(request)
        if request.method == "PATCH":
            raise ApiError(405, "The PATCH HTTP method is not supported.")
        match = self._router.find(request.method, path)
        if match is None:
            raise ApiError(404, "Request does not match any route.")
        caller = self._gate.caller(request)
        if kind == "unauthorized":
            raise unauthorized(match.route.resource)
        allow(caller, match.route.resource)
        if kind in ("error", "deadlock"):
            await asyncio.sleep(self._injector.latency())
            raise answers.internal_error()
        raw_query = request.raw_path.partition("?")[2]
        tree = query.parse(raw_query)
        body = await _body(request)
        time_left = self._injector.latency()
        if "searchCriteria" in tree or "search_criteria" in tree:
            time_left += self._injector.slow_page()
        return await _served(
            match, time_left, lambda pause: Call(self._shop, match.path, tree, body, store, caller, pause)
        )

    def _scope(self, request: web.Request) -> tuple[Store, str]:
        """Return the store view that the path names, and the route's path."""
        raw = request.raw_path.partition("?")[0].removeprefix("/rest")
        first, _, rest = raw.strip("/").partition("/")
        stores = self._shop.stores
        if first == "all":
            return stores.default, f"/{rest}"
        if first in stores.by_code:
            return stores.by_code[first], f"/{rest}"
        if not _VERSION.fullmatch(first):
            raise ApiError(400, "Specified request cannot be processed.")
        return stores.default, f"/{first}/{rest}"


async def _served(match: Match, seconds: float, call_of: Callable[[Callable[[], Awaitable[None]]], Call]) -> Any:
    """Run a handler and spend its service time: a read before it, a write where its handler says so."""
    left = seconds

    async def pause() -> None:
        nonlocal left
        now, left = left, 0.0
        if now > 0:
            await asyncio.sleep(now)

    if match.route.method not in WRITES:
        await pause()
    result = await match.route.handler(call_of(pause))
    await pause()
    return result


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if not raw:
        return None
    kind = request.headers.get("Content-Type", "")
    if not kind:
        raise ApiError(400, "Content-Type header is empty.")
    media = kind.partition(";")[0].strip().lower()
    if media != "application/json":
        raise ApiError(400, f"Server cannot understand Content-Type HTTP header media type {media}")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise ApiError(400, "Decoding error.") from problem


def _cut(request: web.Request) -> web.Response:
    """Cut the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
