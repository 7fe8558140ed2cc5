"""OAuth 1.0a signatures as Magento 2.4.7 checks them, its deviations from the standard included.

Parameters are sorted in *natural* order of their encoded names, where the standard sorts bytes, so standard libraries
fail from eleven filter groups on (recordings ``search/40c_*``). The query is decoded by ``rawurldecode``, for which
``+`` is no space. Only HMAC-SHA256 is taken.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote, unquote

from .answers import ApiError, required
from .config import Integration

FUTURE = 600
"""Seconds that a timestamp may be ahead of the shop's clock."""
REMEMBERED = 100_000
"""Nonces kept at most; the oldest go first."""
_REQUIRED = (
    "oauth_consumer_key", "oauth_signature", "oauth_signature_method", "oauth_nonce", "oauth_timestamp", "oauth_token",
)  # fmt: skip
_PAIR = re.compile(r'([A-Za-z_]+)="([^"]*)"')


class Nonces:
    """Remembers the nonces that were used."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], None] = {}

    def use(self, consumer: int, nonce: str) -> bool:
        """Use a nonce; return whether it was fresh."""
        if (consumer, nonce) in self._seen:
            return False
        self._seen[consumer, nonce] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


def header_parameters(authorization: str) -> dict[str, str]:
    """Return the protocol parameters of an ``Authorization: OAuth`` header, decoded."""
    return {name: unquote(value) for name, value in _PAIR.findall(authorization)}


def verify(  # noqa: PLR0913, PLR0917 - what a signature is made over
    method: str,
    url: str,
    raw_query: str,
    given: Mapping[str, str],
    integrations: tuple[Integration, ...],
    nonces: Nonces,
    now: float,
) -> Integration:
    """Return the integration that signed a request.

    Parameters
    ----------
    url:
        Scheme, the Host header's value and the path as they arrived, without the query.
    raw_query:
        The query, still encoded.
    given:
        The header's parameters.
    now:
        The shop's time, in seconds since 1970.

    Raises
    ------
    ApiError
        With the status and words of the recordings ``errors/oauth_*``.
    """
    if given.get("oauth_version", "1.0") != "1.0":
        raise ApiError(400, 'The "%1" Oauth version isn\'t supported.', [given["oauth_version"]])
    for name in _REQUIRED:
        if not given.get(name):
            raise required(name)
    if len(given["oauth_token"]) != 32:
        raise ApiError(400, "The token length is invalid. Check the length and try again.")
    if given["oauth_signature_method"] != "HMAC-SHA256":
        raise ApiError(400, "Signature method %1 is not supported", [given["oauth_signature_method"]])
    if len(given["oauth_consumer_key"]) != 32:
        raise ApiError(401, "Consumer key is not the correct length")
    number, integration = _consumer(given["oauth_consumer_key"], integrations)
    timestamp = given["oauth_timestamp"]
    if not timestamp.isdecimal() or int(timestamp) <= 0 or int(timestamp) > now + FUTURE:
        raise ApiError(401, "An error occurred validating the nonce")
    if not nonces.use(number, given["oauth_nonce"]):
        raise ApiError(401, "The nonce is already being used by the consumer with ID %1", [str(number)])
    if given["oauth_token"] != integration.access_token:
        raise ApiError(401, "Specified token does not exist")
    expected = signature(method, url, raw_query, given, integration)
    if not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
        raise ApiError(401, "The signature is invalid. Verify and try again.")
    return integration


def _consumer(key: str, integrations: tuple[Integration, ...]) -> tuple[int, Integration]:
    for number, integration in enumerate(integrations, start=1):
        if integration.consumer_key == key:
            return number, integration
    raise ApiError(401, "A consumer having the specified key does not exist")


def signature(method: str, url: str, raw_query: str, given: Mapping[str, str], integration: Integration) -> str:
    """Return the signature that Magento expects."""
    parameters = dict(given)
    for pair in raw_query.split("&"):
        parts = pair.split("=")
        # A parameter without exactly one equals sign is no part of what Magento signs.
        if len(parts) == 2:
            parameters[unquote(parts[0])] = unquote(parts[1])
    parameters.pop("oauth_signature", None)
    encoded = {_encode(name): _encode(value) for name, value in parameters.items()}
    ordered = sorted(encoded, key=cmp_to_key(natural))
    joined = "&".join(f"{name}={encoded[name]}" for name in ordered)
    base = f"{method.upper()}&{_encode(url)}&{_encode(joined)}"
    key = f"{_encode(integration.consumer_secret)}&{_encode(integration.token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def natural(left: str, right: str) -> int:
    """Compare two texts as PHP's ``strnatcmp`` does: runs of digits by their value.

    Returns
    -------
    int
        Negative, zero or positive.
    """
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i].isdecimal() and right[j].isdecimal():
            run, other = _digits(left, i), _digits(right, j)
            fractional = run[0] == "0" or other[0] == "0"
            order = _compare(run, other) if fractional else _compare((len(run), run), (len(other), other))
            if order:
                return order
            i, j = i + len(run), j + len(other)
        elif left[i] != right[j]:
            return _compare(left[i], right[j])
        else:
            i, j = i + 1, j + 1
    return _compare(len(left) - i, len(right) - j)


def _digits(text: str, start: int) -> str:
    end = start
    while end < len(text) and text[end].isdecimal():
        end += 1
    return text[start:end]


def _compare(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)
