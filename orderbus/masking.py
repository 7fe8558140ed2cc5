"""Secrets: which values of a configuration are some, and how they are kept out of what is shown and logged."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from orderbus.config import Loaded
from orderbus.refusal import Place, dotted

MASK = "***"
SHORTEST_SECRET = 4
"""Characters; to blot out anything shorter wherever it stands would blot out half of every text."""

_SECRET_NAME = re.compile(r"(.*_)?(password|passwd|secret|token)|consumer_key")
# To the last "@": a password may hold one that nobody encoded.
_URL = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*):([^\s;]*)@", re.IGNORECASE)
_SPELT_OUT = (
    (_URL, rf"\1:{MASK}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"""(["']?\b[\w-]*(?:password|passwd|secret|token|consumer_key|signature)["']?\s*[=:]\s*)"""
            r"""("[^"]*"|'[^']*'|[^\s,;&)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


def without_secrets(text: str, known: Iterable[str] = ()) -> str:
    """Return a text with everything masked that is a known secret or looks like one.

    >>> without_secrets("amqp://bus:hunter2@broker/ said no")
    'amqp://bus:***@broker/ said no'
    >>> without_secrets('Authorization: Bearer abc.def')
    'Authorization: Bearer ***'
    >>> without_secrets("passwd='x y', access_token=1")
    'passwd=***, access_token=***'
    >>> without_secrets("the key is hunter2", ["hunter2"])
    'the key is ***'
    """
    for secret in known:
        text = text.replace(secret, MASK)
    for pattern, replacement in _SPELT_OUT:
        text = pattern.sub(replacement, text)
    return text


def secrets_of(loaded: Loaded) -> tuple[str, ...]:
    """Return the secret values of a configuration, the longest first, since one may be a part of another."""
    found: set[str] = set()
    for at, value in _texts(msgspec.to_builtins(loaded.config, str_keys=True), ()):
        passwords = [match[2] for match in _URL.finditer(value)]
        if passwords:
            found.update(passwords, map(unquote, passwords))
        elif _is_secret(at, loaded):
            found.add(value)
    return tuple(sorted((secret for secret in found if len(secret) >= SHORTEST_SECRET), key=len, reverse=True))


def shown(loaded: Loaded) -> Iterator[str]:
    """Yield the effective configuration as lines of TOML, defaults included, secrets masked."""
    yield from _lines(masked(loaded), ())


def masked(loaded: Loaded) -> dict[str, Any]:
    """Return the effective configuration as builtin types, secrets masked."""

    def mask(value: Any, at: Place) -> Any:
        if isinstance(value, dict):
            return {key: mask(inner, (*at, key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [mask(inner, (*at, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str) or not value:
            return value
        if "://" not in value and _is_secret(at, loaded):
            return MASK
        return _URL.sub(rf"\1:{MASK}@", value)

    builtin: dict[str, Any] = mask(msgspec.to_builtins(loaded.config, str_keys=True), ())
    return builtin


def _is_secret(at: Place, loaded: Loaded) -> bool:
    names = [part for part in at if isinstance(part, str)]
    return at in loaded.secret or bool(names and _SECRET_NAME.fullmatch(names[-1]))


def _texts(value: Any, at: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*at, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*at, index))
    elif isinstance(value, str):
        yield at, value


def _lines(value: Any, at: Place) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, (*at, key))
    elif value is not None:
        # JSON's strings, numbers, booleans and arrays are TOML's too.
        yield f"{dotted(at)} = {msgspec.json.encode(value).decode()}"
