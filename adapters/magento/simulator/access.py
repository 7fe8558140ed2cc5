"""Who calls: bearer tokens, signed requests, and what each may do."""

import base64
import hashlib
import hmac
import json
from typing import Literal

from aiohttp import web
from msgspec import Struct

from . import oauth
from .answers import ApiError, required
from .config import Integration, SimulatorConfig
from .faults import Injector
from .state import State

SELF = "self"
ANONYMOUS = "anonymous"
WRONG_LOGIN = (
    "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later."
)


class Caller(Struct, frozen=True):
    """Whoever sent a request."""

    kind: Literal["admin", "integration", "customer", "guest"]
    customer_id: int | None = None
    resources: tuple[str, ...] | None = None
    """What an integration may do; None means all."""


GUEST = Caller("guest")


class Gate:
    """Knows the callers of one shop and issues their tokens."""

    def __init__(self, config: SimulatorConfig, state: State, injector: Injector) -> None:
        self._config = config
        self._state = state
        self._injector = injector
        self._nonces = oauth.Nonces()
        # Derived from the configuration, so that tokens outlive a restart as Magento's do.
        self._key = hashlib.sha256(config.admin_password.encode()).digest()

    def admin_token(self, body: object) -> str:
        """Issue the token of an administrator (``POST /V1/integration/admin/token``)."""
        user, password = _login(body)
        if (user, password) != (self._config.admin_user, self._config.admin_password):
            raise ApiError(401, WRONG_LOGIN)
        return self._issue("admin", 1)

    def customer_token(self, body: object, website_id: int) -> str:
        """Issue the token of a customer (``POST /V1/integration/customer/token``)."""
        email, password = _login(body)
        row = self._state.one("SELECT id, password FROM customer WHERE email = ? AND website_id = ?", email, website_id)
        if row is None or row["password"] is None or not matches(password, row["password"]):
            raise ApiError(401, WRONG_LOGIN)
        return self._issue("customer", row["id"])

    def _issue(self, kind: str, number: int) -> str:
        header = _b64(b'{"kid":"1","alg":"HS256"}')
        payload = _b64(json.dumps({"kind": kind, "uid": number, "iat": self._state.clock.epoch()}).encode())
        return f"{header}.{payload}.{self._sign(f'{header}.{payload}')}"

    def _sign(self, text: str) -> str:
        return _b64(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def caller(self, request: web.Request) -> Caller:
        """Return who sent a request; whoever cannot be made out is a guest.

        Raises
        ------
        ApiError
            Where a signature is wrong.
        """
        authorization = request.headers.get("Authorization", "")
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "oauth":
            path, _, query = request.raw_path.partition("?")
            url = f"{request.scheme}://{request.headers.get('Host', '')}{path}"
            integration = oauth.verify(
                request.method,
                url,
                query,
                oauth.header_parameters(authorization),
                self._config.integrations,
                self._nonces,
                self._state.clock.epoch(),
            )
            return Caller("integration", resources=integration.resources)
        if scheme.lower() == "bearer":
            return self._bearer(credentials.strip())
        return GUEST

    def _bearer(self, token: str) -> Caller:
        for integration in self._config.integrations:
            if self._config.integration_bearer and hmac.compare_digest(
                integration.access_token.encode(), token.encode("utf-8", "surrogateescape")
            ):
                return _of(integration)
        return self._by_token(token) or GUEST

    def _by_token(self, token: str) -> Caller | None:
        text, _, given = token.rpartition(".")
        if not hmac.compare_digest(self._sign(text).encode(), given.encode("utf-8", "surrogateescape")):
            return None
        payload = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        if self._state.clock.epoch() - payload["iat"] >= self._injector.faults.token_lifetime:
            return None
        return Caller("admin") if payload["kind"] == "admin" else Caller("customer", customer_id=payload["uid"])


def _of(integration: Integration) -> Caller:
    return Caller("integration", resources=integration.resources)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _login(body: object) -> tuple[str, str]:
    given = body if isinstance(body, dict) else {}
    for name in ("username", "password"):
        if name not in given:
            raise required(name)
    return str(given["username"]), str(given["password"])


def allow(caller: Caller, resource: str) -> None:
    """Let a caller pass, or not.

    Raises
    ------
    ApiError
        401, whatever the reason; Magento has no 403.
    """
    if resource == ANONYMOUS:
        return
    if resource == SELF:
        allowed = caller.kind == "customer"
    else:
        allowed = caller.kind in ("admin", "integration") and (caller.resources is None or resource in caller.resources)
    if not allowed:
        raise unauthorized(resource)


def unauthorized(resource: str) -> ApiError:
    """Return the 401 of a caller without the right."""
    return ApiError(401, "The consumer isn't authorized to access %resources.", {"resources": resource})


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return hashlib.sha256(f"simulator:{password}".encode()).hexdigest()


def matches(password: str, kept: str) -> bool:
    """Compare a password with what is kept of it."""
    return hmac.compare_digest(hashed(password), kept)
