"""OAuth 1.0a with HMAC-SHA256, signed the way Magento checks it.

Magento differs from RFC 5849, and so from the usual libraries, in one thing: it sorts parameters in PHP's *natural*
order, so that filter group 2 comes before filter group 10. Other names are sorted as the RFC says.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from adapters.magento.config import OAuth1

Pairs = Sequence[tuple[str, str]]
"""Query parameters in the order of the URL, not yet encoded."""

_DIGITS = re.compile(r"\d+|\D", re.ASCII)


def encoded(text: str) -> str:
    """Encode as PHP's ``rawurlencode`` does: a space becomes ``%20``, brackets are encoded, ``~`` is not.

    >>> encoded("filters[0] a+b~")
    'filters%5B0%5D%20a%2Bb~'
    """
    return quote(text, safe="")


def query(pairs: Pairs) -> str:
    """Return the query string of a URL; Magento decodes it with ``rawurldecode``, to which ``+`` is no space."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)


def natural_order(name: str) -> tuple[tuple[int, int], ...]:
    """Return the sort key that orders as PHP's ``strnatcmp``: runs of digits by value, all else by byte.

    >>> sorted(["g%5B10%5D", "g%5B9%5D"], key=natural_order)
    ['g%5B9%5D', 'g%5B10%5D']
    """
    return tuple((ord("0"), int(run)) if run.isdigit() else (ord(run), 0) for run in _DIGITS.findall(name))


def base_string(method: str, url: str, parameters: Pairs) -> str:
    """Return what is signed: method, URL without query, and all parameters in Magento's order."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, {"http": 80, "https": 443}[parts.scheme]} else f":{parts.port}"
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    target = f"{parts.scheme}://{host}{port}{parts.path}"
    pairs = sorted(((encoded(name), encoded(value)) for name, value in parameters), key=lambda p: natural_order(p[0]))
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), encoded(target), encoded(joined)))


def authorization(auth: OAuth1, method: str, url: str, parameters: Pairs, stamp: tuple[str, int] | None = None) -> str:
    """Return the ``Authorization`` header of one request; each attempt needs a new one, for Magento keeps nonces.

    Parameters
    ----------
    url:
        As Magento sees it, without query: a proxy that changes scheme or host breaks the signature.
    parameters:
        The query's parameters; a JSON body is not signed.
    stamp:
        Nonce and Unix time; by default a new one.
    """
    nonce, timestamp = stamp or (secrets.token_hex(16), int(time.time()))
    protocol = [
        ("oauth_consumer_key", auth.consumer_key),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", str(timestamp)),
        ("oauth_token", auth.access_token),
        ("oauth_version", "1.0"),
    ]
    key = f"{encoded(auth.consumer_secret)}&{encoded(auth.access_token_secret)}"
    text = base_string(method, url, [*parameters, *protocol])
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    protocol.append(("oauth_signature", base64.b64encode(digest).decode()))
    return "OAuth " + ", ".join(f'{name}="{encoded(value)}"' for name, value in protocol)
