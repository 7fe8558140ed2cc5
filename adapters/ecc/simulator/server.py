"""The simulated ECC as an HTTP server: one TCP connection is one RFC session."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from adapters.ecc.rfc import (
    AbapApplicationError,
    AbapRuntimeError,
    CommunicationError,
    LogonError,
    RfcError,
)
from adapters.ecc.simulator import control, customers, dialog, sales_orders, sessions, update
from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.documents import SalesOrder, Work
from adapters.ecc.simulator.system import RfcSession, System, boot, utc_now

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 1024**2
"""Bytes a call may have."""
KEPT_ALIVE = 86_400.0
"""Seconds an idle session lasts."""


class Call(msgspec.Struct, frozen=True):
    """Body of ``POST /rfc/call``."""

    function: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


def _bounded_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: "asyncio.Task[None]"
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


class _Server(web.Server):
    """aiohttp's low-level server, which also tells when a connection is gone."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Any], lost: Callable[[object], None], **options: Any
    ) -> None:
        super().__init__(handler, request_factory=_bounded_request, **options)
        self._lost = lost

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._lost(handler)


class Simulator:
    """A simulated ECC system that can be started and stopped in a running event loop.

    Parameters
    ----------
    config:
        Customising, timing and the database's file.
    host, port:
        Where to listen; port 0 takes a free one.
    clock:
        ECC's clock, aware, UTC.
    """

    def __init__(
        self,
        config: SimulatorConfig | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.config = config or SimulatorConfig()
        self._host = host
        self._port = port
        self._clock = clock
        self._sessions: dict[object, RfcSession] = {}
        self._calls: set[asyncio.Task[Any] | None] = set()
        self._system: System | None = None
        self._runner: web.ServerRunner | None = None

    @property
    def system(self) -> System:
        """The running system, for tests and the demo.

        Raises
        ------
        RuntimeError
            It does not run.
        """
        if self._system is None:
            raise RuntimeError("the simulator is not running")
        return self._system

    async def start(self) -> str:
        """Start, resume update tasks that an earlier run left, and return the URL.

        Raises
        ------
        OSError
            The port is in use.
        """
        self._system = boot(self.config, _write, self._clock)
        server = _Server(self._handle, self._connection_lost, access_log=None, keepalive_timeout=KEPT_ALIVE)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.stop()
            raise
        update.resume(self._system)
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Break all connections and stop; update tasks at work go on at the next start on the same file."""
        if self._runner is None or self._system is None:
            return
        for session in list(self._sessions.values()):
            session.hang_up()
        at_work = [*self._system.tasks, *filter(None, self._calls)]
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        await self._runner.cleanup()
        self._system.database.close()
        self._system = self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/_simulator/"):
            return await control.respond(self.system, request)
        task = asyncio.current_task()
        try:
            if not self.system.up.is_set():
                _abort(request)
            self._calls.add(task)
            return await self._rfc(request)
        except dialog.ConnectionDroppedError:
            return web.Response(status=503)
        except web.HTTPException as error:
            return error
        except (RfcError, msgspec.DecodeError, TypeError) as error:
            return _refusal(error if isinstance(error, RfcError) else RfcError(str(error), "RFC_INVALID_PARAMETER"))
        except Exception:
            logger.exception("the simulator failed at a call")
            self._end(request.protocol)
            return _refusal(AbapRuntimeError("The simulator failed; its log says why", "SYSTEM_FAILURE"))
        finally:
            self._calls.discard(task)

    async def _rfc(self, request: web.BaseRequest) -> web.StreamResponse:
        system, body = self.system, await request.read()
        if (request.method, request.path) == ("POST", "/rfc/logon"):
            credentials = msgspec.json.decode(body, type=dict[str, str])
            self._end(request.protocol)
            session = sessions.log_on(system, credentials, lambda: self._hang_up(request))
            self._sessions[request.protocol] = session
            return _answer({"session": session.id})
        session = self._session(request)
        if (request.method, request.path) == ("POST", "/rfc/close"):
            self._end(request.protocol)
            return _answer({})
        if (request.method, request.path) != ("POST", "/rfc/call"):
            raise web.HTTPNotFound
        call = msgspec.json.decode(body, type=Call)
        answer = await dialog.call(system, session, call.function, call.parameters)
        response = _answer(answer.values)
        if answer.hang_up:
            await response.prepare(request)
            await response.write_eof()
            sessions.connection_lost(system, session)
            if request.transport is not None:
                request.transport.close()
        return response

    def _session(self, request: web.BaseRequest) -> RfcSession:
        session = self._sessions.get(request.protocol)
        if session is None or session.id not in self.system.sessions:
            raise CommunicationError("The connection has no session", "RFC_COMMUNICATION_FAILURE")
        return session

    def _hang_up(self, request: web.BaseRequest) -> None:
        connection = request.protocol
        if connection.transport is not None:
            connection.transport.abort()
        self._connection_lost(connection)

    def _connection_lost(self, connection: object) -> None:
        session = self._sessions.pop(connection, None)
        if session is not None and self._system is not None:
            sessions.connection_lost(self._system, session)

    def _end(self, connection: object) -> None:
        session = self._sessions.pop(connection, None)
        if session is not None:
            sessions.end(self.system, session)


def _write(system: System, work: Work) -> None:
    if isinstance(work, SalesOrder):
        sales_orders.write(system, work)
    else:
        customers.write(system, work)


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise dialog.ConnectionDroppedError


ERRORS: dict[type[RfcError], str] = {
    AbapApplicationError: "AbapApplicationError",
    AbapRuntimeError: "AbapRuntimeError",
    CommunicationError: "CommunicationError",
    LogonError: "LogonError",
    RfcError: "RfcError",
}
"""What an error is called on the wire."""


def _refusal(error: RfcError) -> web.Response:
    body = {"error": {"type": ERRORS.get(type(error), "RfcError"), "key": error.key, "message": error.message}}
    return web.Response(body=msgspec.json.encode(body), status=500, content_type="application/json")


def _answer(body: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
