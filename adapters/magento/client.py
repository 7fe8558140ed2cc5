"""HTTP to the shop: signed, paced, bounded, repeated where that is safe, and with failures that the bus understands."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

import aiohttp
import msgspec
from yarl import URL

from adapters.magento import metrics
from adapters.magento.config import Bearer, MagentoConfig
from adapters.magento.errors import BodyTooLargeError, MagentoError, error_text
from adapters.magento.pace import Pace
from adapters.magento.signing import Pairs, authorization, query
from schemas.failures import Outage, Permanent, Transient

LONGEST_WAIT = 5.0
"""Seconds that a request waits in place because the shop asked for it; longer waits go back to the queue."""
FIRST_BACKOFF = 0.2
"""Seconds before the first repetition, halved at most by jitter and doubled each time."""
LONGEST_ERROR = 65_536
"""Bytes of an error answer that are read."""
_CHUNK = 65_536

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """A successful answer."""

    body: bytes
    date: datetime | None
    """The shop's clock, from the ``Date`` header."""
    where: str
    """Method and path, for error texts."""

    def decoded(self, kind: type[T]) -> T:
        """Return the body as a typed value.

        Raises
        ------
        Transient
            The body is no JSON: something else than Magento answered.
        Permanent
            The body is JSON of another shape.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.ValidationError as error:
            raise Permanent(
                f"Magento answered {self.where} with JSON of an unexpected shape: {error}.",
                "Look for a Magento extension that changes this answer.",
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Transient(
                f"Magento answered {self.where} with something that is not JSON.",
                "Look for a proxy, cache or extension that answers in Magento's place.",
            ) from None


class _RefusedError(Exception):
    """A bad status, as it came."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class Client:
    """Calls Magento's REST API; one per process, shared by all its services.

    Parameters
    ----------
    config:
        Where the shop is, and how fast it may be called.
    """

    def __init__(self, config: MagentoConfig) -> None:
        self._config = config
        self._base = f"{config.url.rstrip('/')}/rest/V1/"
        self._pace = Pace(config.max_concurrent_requests, config.requests_per_second)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, parameters: Pairs = ()) -> Answer:
        """Read something. See `send` for what it raises."""
        return await self.send("GET", path, parameters, repeatable=True)

    async def send(
        self, method: str, path: str, parameters: Pairs = (), body: Any = None, *, repeatable: bool = False
    ) -> Answer:
        """Send one request, again if need be.

        Parameters
        ----------
        path:
            Behind ``/rest/V1/``, without query.
        body:
            What to send as JSON.
        repeatable:
            A second time does no harm, so that it is sent again where nobody knows whether the first arrived.

        Raises
        ------
        Outage
            The shop is down, or refuses the credentials; so it does for every message.
        Transient
            The request was not answered, or Magento failed at it.
        MagentoError
            Magento refused this request.
        BodyTooLargeError
            The answer exceeds ``max_body_bytes``.
        """
        where = f"{method} /rest/V1/{path}"
        payload = None if body is None else msgspec.json.encode(body)
        tries_left = self._config.retries
        backoff = FIRST_BACKOFF
        while True:
            try:
                return await self._once(method, path, parameters, payload)
            except _RefusedError as refused:
                metrics.REQUESTS.labels(_outcome(refused.status)).inc()
                wait = self._wait(refused, repeatable=repeatable, backoff=backoff) if tries_left else None
                if wait is None:
                    _raise_for(refused, where)
            except aiohttp.ClientConnectorError as error:
                metrics.REQUESTS.labels("unreachable").inc()
                if not tries_left:
                    raise _unreachable(where, error) from None
                wait = backoff
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                timed_out = isinstance(error, TimeoutError)
                metrics.REQUESTS.labels("timeout" if timed_out else "unreachable").inc()
                if not tries_left or not repeatable:
                    raise _unanswered(where, error) from None
                wait = backoff
            tries_left -= 1
            backoff *= 2
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret

    async def _once(self, method: str, path: str, parameters: Pairs, payload: bytes | None) -> Answer:
        url = self._base + path
        full = URL(f"{url}?{query(parameters)}" if parameters else url, encoded=True)
        async with self._pace.turn():
            headers = {"Accept": "application/json"}
            if payload is not None:
                headers["Content-Type"] = "application/json"

            async def signed(
                request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
            ) -> aiohttp.ClientResponse:
                # aiohttp itself repeats a GET or PUT on a connection that the shop had closed, and Magento refuses a
                # nonce that it has seen: every sending is signed anew.
                request.headers["Authorization"] = self._authorization(method, url, parameters)
                return await handler(request)

            async with self._open_session().request(
                method, full, data=payload, headers=headers, allow_redirects=False, middlewares=(signed,)
            ) as response:
                if response.status >= 300:
                    raise _RefusedError(response.status, await _error_body(response), response.headers)
                body = await _bounded(response, self._config.max_body_bytes)
                metrics.REQUESTS.labels(_outcome(response.status)).inc()
                return Answer(body, _date(response.headers.get("Date")), f"{method} /rest/V1/{path}")

    def _authorization(self, method: str, url: str, parameters: Pairs) -> str:
        auth = self._config.auth
        return f"Bearer {auth.token}" if isinstance(auth, Bearer) else authorization(auth, method, url, parameters)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            config = self._config
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=config.max_concurrent_requests),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=config.request_timeout, sock_connect=config.connect_timeout),
                headers={"User-Agent": "orderbus"},
            )
        return self._session

    def _wait(self, refused: _RefusedError, *, repeatable: bool, backoff: float) -> float | None:
        """Return the seconds before the request is sent again, or ``None`` when it is not."""
        if refused.status == 429:
            asked = _retry_after(refused.headers)
            if asked is not None and asked > LONGEST_WAIT:
                return None
            self._pace.pause(asked or 0)
            return max(backoff, asked or 0)
        return backoff if repeatable and refused.status in {500, 502, 503, 504} else None


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > limit:
            response.close()
            raise BodyTooLargeError(f"The answer is longer than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await _bounded(response, LONGEST_ERROR)
    except BodyTooLargeError:
        return b""


def _raise_for(refused: _RefusedError, where: str) -> NoReturn:
    """Raise what a bad status means; the recordings are ``errors/*.json``."""
    status, text = refused.status, error_text(refused.body)
    said = text or "an answer that is not JSON"
    cause = f"Magento answered {where} with {status}: {said}"
    cause += "" if cause.endswith(".") else "."
    if status < 400:
        raise Outage(cause, "Set magento.url to the address that Magento itself redirects to.")
    if status in {401, 403}:
        raise Outage(
            cause,
            "Check magento.auth, the clocks, and that no proxy changes scheme or host; give the integration the "
            "resource named above (saving orders needs Magento_Sales::create and, since 2.4.7-p4, "
            "Magento_Sales::api_actions).",
        )
    retry_after = _retry_after(refused.headers)
    if status == 429:
        raise Transient(cause, "Lower magento.requests_per_second, or raise the shop's limit.", retry_after=retry_after)
    if status in {502, 503} or (status == 500 and text is None):
        raise Outage(
            cause, "Bring the shop back: maintenance mode, PHP or its database is down.", retry_after=retry_after
        )
    if status >= 500 or status == 408:
        raise Transient(cause, "Look for the report id in Magento's var/log or var/report.")
    if status == 404 and text is None:
        raise Outage(cause, "Check magento.url: there is no Magento REST API at this address.")
    raise MagentoError(status, said, where)


def _unreachable(where: str, error: aiohttp.ClientConnectorError) -> Outage:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Outage(
            f"The shop's TLS certificate was refused at {where}.",
            "Check the certificate, its host name, and the certificate authorities of this machine.",
        )
    return Outage(
        f"The shop at {error.host}:{error.port} cannot be reached for {where} ({_reason(error.os_error)}).",
        "Check magento.url, name resolution and firewalls, and that the shop's web server runs.",
    )


def _unanswered(where: str, error: Exception) -> Transient:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Outage(f"No connection for {where} in time.", "Check the network, or raise magento.connect_timeout.")
    if isinstance(error, TimeoutError):
        return Transient(f"No answer to {where} in time.", "Look at the shop's load, or raise magento.request_timeout.")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Transient(f"The answer to {where} was cut short.", "Look at the shop's web server and proxies.")
    return Transient(
        f"The connection was lost during {where} ({type(error).__name__}).", "Look at the shop's web server."
    )


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _outcome(status: int) -> str:
    return str(status) if status in {401, 429} else f"{status // 100}xx"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number, or a date by the shop's own clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 86_400))
    until, now = _date(text), _date(headers.get("Date"))
    if until is None:
        return None
    return min(max((until - (now or datetime.now(UTC))).total_seconds(), 0.0), 86_400.0)


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
