"""Recorded requests sent again, and recorded answers compared field by field."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import aiohttp
from msgspec import Struct
from yarl import URL

from adapters.magento.simulator.config import INTEGRATION, Integration
from adapters.magento.simulator.server import Simulator

RECORDINGS = Path(__file__).parent.parent / "recordings" / "magento"


def recording(name: str) -> dict[str, Any]:
    """Return a recording by its name without the suffix, e.g. ``"orders/get_us"``."""
    return json.loads((RECORDINGS / f"{name}.json").read_text())


def body(name: str) -> Any:
    return recording(name)["response"]["body"]


def searched_orders() -> list[dict[str, Any]]:
    """Return the twelve orders of the shop as they were when its searches were recorded."""
    return body("search/02_empty_criteria")["items"]


class Answer(Struct):
    """What the shop answered."""

    status: int
    content_type: str
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def sign(
    method: str,
    url: str,
    integration: Integration = INTEGRATION,
    *,
    sort_key: Any = None,
    **overrides: str,
) -> str:
    """Return an OAuth header as a standard library makes it: parameters in byte order, a ``+`` read as a space."""
    plain, _, query = url.partition("?")
    parameters = {
        "oauth_consumer_key": integration.consumer_key,
        "oauth_nonce": secrets.token_hex(8),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(time.time())),
        "oauth_token": integration.access_token,
        "oauth_version": "1.0",
    } | overrides
    parameters = {name: value for name, value in parameters.items() if value}
    pairs = [*parameters.items(), *parse_qsl(query, keep_blank_values=True)]
    encoded = [(_encode(name), _encode(value)) for name, value in pairs]
    joined = "&".join(f"{name}={value}" for name, value in sorted(encoded, key=sort_key))
    base = f"{method}&{_encode(plain)}&{_encode(joined)}"
    key = f"{_encode(integration.consumer_secret)}&{_encode(integration.token_secret)}"
    digest = hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()
    signed = parameters | {"oauth_signature": base64.b64encode(digest).decode()}
    return "OAuth " + ", ".join(f'{name}="{_encode(value)}"' for name, value in signed.items())


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


class RefusedError(Exception):
    """The shop did not do what was asked; the arguments are status and text."""


class Client:
    """Sends raw requests to a simulated shop."""

    def __init__(self, http: aiohttp.ClientSession, simulator: Simulator) -> None:
        self.http = http
        self.simulator = simulator
        self._admin = ""

    async def admin(self) -> str:
        """Return an administrator's token."""
        if not self._admin:
            config = self.simulator.config
            login = {"username": config.admin_user, "password": config.admin_password}
            answer = await self.send("POST", "/rest/V1/integration/admin/token", login)
            self._admin = answer.body
        return self._admin

    async def send(
        self, method: str, path: str, given: Any = None, auth: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request.

        Parameters
        ----------
        path:
            As it is to arrive, encoded, with its query.
        auth:
            ``"admin"``, ``"oauth"``, ``"integration bearer token"``, a whole header, or None.
        """
        sent = dict(headers or {})
        if auth == "admin":
            sent["Authorization"] = f"Bearer {await self.admin()}"
        elif auth == "oauth":
            sent["Authorization"] = sign(method, self.simulator.url + path)
        elif auth == "integration bearer token":
            sent["Authorization"] = f"Bearer {INTEGRATION.access_token}"
        elif auth not in (None, "None"):
            sent["Authorization"] = auth
        data = None
        if given is not None:
            data = given if isinstance(given, str) else json.dumps(given)
            sent.setdefault("Content-Type", "application/json")
        url = URL(self.simulator.url + path, encoded=True)
        async with self.http.request(method, url, data=data, headers=sent) as response:
            return Answer(response.status, response.headers.get("Content-Type", ""), await response.text())

    async def get(self, path: str) -> Any:
        answer = await self.send("GET", path, auth="admin")
        assert answer.status == 200, answer.text
        return answer.body

    async def order(self, order_id: int) -> Any:
        return await self.get(f"/rest/V1/orders/{order_id}")

    async def do(self, method: str, path: str, given: Any = None) -> Any:
        """Send what must succeed; `RefusedError` tells what it answered otherwise."""
        answer = await self.send(method, path, given, auth="admin")
        if answer.status != 200:
            raise RefusedError(answer.status, answer.text)
        return answer.body

    async def replay(self, name: str, *, at: str | None = None) -> Answer:
        """Send a recorded request again; `at` sets the shop's clock to a moment."""
        if at is not None:
            self.freeze(at)
        request = recording(name)["request"]
        return await self.send(request["method"], request["path"], request["body"], request["auth"])

    def freeze(self, moment: str) -> None:
        """Stop the shop's clock, as far as it is written down, at a moment."""
        self.simulator.shop.state.clock.now = lambda: moment  # type: ignore[method-assign]


def same(answer: Answer, name: str) -> None:
    """Compare an answer with the recorded one, content type and types of numbers included."""
    recorded = recording(name)["response"]
    assert answer.status == recorded["status"], (name, answer.text[:500])
    assert answer.content_type == recorded["content_type"], name
    if "body" in recorded:
        assert differences(recorded["body"], answer.body) == [], name


def differences(recorded: Any, given: Any, path: str = "") -> list[str]:
    """Return what differs, one line each; 40 and 40.0 differ, as do the order's list elements."""
    if isinstance(recorded, dict) and isinstance(given, dict):
        found = [f"{path}.{name}: missing" for name in recorded if name not in given]
        found += [f"{path}.{name}: unexpected {given[name]!r}" for name in given if name not in recorded]
        common = [name for name in recorded if name in given]
        return found + [each for name in common for each in differences(recorded[name], given[name], f"{path}.{name}")]
    if isinstance(recorded, list) and isinstance(given, list):
        if len(recorded) != len(given):
            return [f"{path}: {len(given)} elements, recorded {len(recorded)}"]
        pairs = enumerate(zip(recorded, given, strict=True))
        return [each for index, (a, b) in pairs for each in differences(a, b, f"{path}[{index}]")]
    if type(recorded) is not type(given) or recorded != given:
        return [f"{path}: {given!r}, recorded {recorded!r}"]
    return []
