"""What Magento says when it refuses, readable and fit to be shown."""

import re
from typing import Any

import msgspec

LONGEST_TEXT = 400
"""Characters of Magento's own text that are passed on."""
_PLACEHOLDER = re.compile(r"%(\w+)", re.ASCII)
_EMAIL = re.compile(r"[^\s\"'<>()]+@[^\s\"'<>()]+")


class MagentoError(Exception):
    """The shop refused one request, for a reason that lies in that request (HTTP 400, 404 and the like).

    Parameters
    ----------
    status:
        HTTP status.
    text:
        Magento's own message, placeholders filled in and e-mail addresses taken out.
    where:
        Method and path.
    """

    def __init__(self, status: int, text: str, where: str) -> None:
        super().__init__(f"Magento answered {where} with {status}: {text}")
        self.status = status
        self.text = text
        self.where = where


class BodyTooLargeError(Exception):
    """An answer was longer than the configured limit; it was not read to its end."""


class _ErrorBody(msgspec.Struct):
    message: str
    parameters: Any = None


def error_text(body: bytes) -> str | None:
    """Return Magento's message with its placeholders filled in, or ``None`` where the body is no Magento error.

    Parameters come as a list (``%1`` is the first) or as an object (``%fieldName``); see ``errors/*.json`` of the
    recordings. What is not JSON (maintenance pages, PHP's own errors) is none.

    >>> error_text(b'{"message": "No such entity with %fieldName = %fieldValue",'
    ...            b' "parameters": {"fieldName": "customerId", "fieldValue": 999}}')
    'No such entity with customerId = 999'
    """
    try:
        error = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    values: dict[str, Any] = {}
    if isinstance(error.parameters, list):
        values = {str(position): value for position, value in enumerate(error.parameters, 1)}
    elif isinstance(error.parameters, dict):
        values = error.parameters

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], match[0])
        return str(value) if isinstance(value, str | int | float) else match[0]

    text = " ".join(_PLACEHOLDER.sub(fill, error.message[: 4 * LONGEST_TEXT]).split())
    return _EMAIL.sub("<e-mail>", text)[:LONGEST_TEXT]
