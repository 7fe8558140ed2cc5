"""Answers in Magento's manner: PHP's JSON, XML on request, errors whose placeholders stay, failures in HTML."""

import json
import re
import secrets
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

JSON_TYPE = "application/json"
_NAME_OR_BRACKET = re.compile(r"[A-Za-z0-9_\-]+|[\[\],]")

MAINTENANCE = """<!doctype html>
<html xmlns="http://www.w3.org/1999/xhtml" >
<head>
    <title>Error 503: Service Unavailable</title>
    <meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
    <meta name="robots" content="*"/>
</head>
<body>
    <main class="page-main">

<h1>Service Temporarily Unavailable</h1>
<p>
    The server is temporarily unable to service your request due to maintenance downtime or capacity problems.
    Please try again later.
</p>
    </main>
</body>
</html>
"""
BAD_GATEWAY = """<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx/1.22.1</center>
</body>
</html>
"""
DB_DOWN = """<!doctype html>
<html xmlns="http://www.w3.org/1999/xhtml" >
<head>
    <title>There has been an error processing your request</title>
    <base href="An error has happened during application run. See exception log for details.
"""
HTML_ERROR = """<!doctype html>
<html xmlns="http://www.w3.org/1999/xhtml" >
<head>
    <title>There has been an error processing your request</title>
    <meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
    <meta name="robots" content="*"/>
</head>
<body>
    <main class="page-main">

<h1>There has been an error processing your request</h1>
    <p><em>Exception printing is disabled by default for security reasons.</em></p>

    <p>Error log record number: {record}</p>
    </main>
</body>
</html>
"""
TOO_MANY = "<html>\n<head><title>429 Too Many Requests</title></head>\n</html>\n"

NO_ENTITY = "The entity that was requested doesn't exist. Verify the entity and try again."
REQUIRED = '"%fieldName" is required. Enter and try again.'
NOT_SUPPORTED = '"%fieldName" is not supported. Correct the field name and try again.'
NO_SUCH = "No such entity with %fieldName = %fieldValue"


class ApiError(Exception):
    """An answer that is not a success, as Magento words it.

    Parameters
    ----------
    message:
        Text with its placeholders.
    parameters:
        What a client puts in their place: by name, or by position.
    """

    def __init__(self, status: int, message: str, parameters: dict[str, Any] | list[Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """Return the body of the answer."""
        if not self.parameters:
            return {"message": self.message}
        return {"message": self.message, "parameters": self.parameters}


def not_found() -> ApiError:
    """Return the 404 of an order, invoice or shipment that is not there."""
    return ApiError(404, NO_ENTITY)


def no_such(field: str, value: Any) -> ApiError:
    """Return the 404 of a customer, address or cart that is not there."""
    return ApiError(404, NO_SUCH, {"fieldName": field, "fieldValue": value})


def required(field: str) -> ApiError:
    """Return the 400 of a missing field."""
    return ApiError(400, REQUIRED, {"fieldName": field})


def internal_error() -> ApiError:
    """Return the 500 that hides a database error, a deadlock among them."""
    report = secrets.token_hex(7)[:13]
    return ApiError(500, f"Internal Error. Details are available in Magento log file. Report ID: webapi-{report}")


def number(value: Decimal | float | str) -> int | float:
    """Return an amount as PHP's JSON writes it: an int where it is integral, else a float."""
    amount = float(value)
    return int(amount) if amount.is_integer() else amount


def to_json(body: Any) -> bytes:
    r"""Encode as PHP does: ``\uXXXX`` for everything beyond ASCII and ``\/`` for a slash."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def to_xml(body: Any) -> str:
    """Encode as Magento does when the client accepts XML."""
    return f'<?xml version="1.0"?>\n<response>{_xml(body, 1)}</response>\n'


def _xml(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        pairs = [(name if not name.isdigit() else "item", inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [("item", inner) for inner in value]
    elif isinstance(value, bool):
        return "true" if value else "false"
    else:
        return "" if value is None else escape(str(value))
    indent = "  " * depth
    lines = "".join(f"\n{indent}<{name}>{_xml(inner, depth + 1)}</{name}>" for name, inner in pairs)
    return f"{lines}\n{'  ' * (depth - 1)}" if pairs else ""


def respond(status: int, body: Any, accept: str) -> web.Response:
    """Return the answer in the notation that the client accepts; HTML is not one Magento's API has.

    Parameters
    ----------
    accept:
        The request's Accept header, empty if it has none.
    """
    wanted = {kind.split(";")[0].strip() for kind in accept.split(",")} - {""}
    if not wanted or wanted & {"*/*", "application/*", JSON_TYPE}:
        return web.Response(status=status, body=to_json(body), content_type=JSON_TYPE, charset="utf-8")
    if wanted & {"application/xml", "text/xml"}:
        return web.Response(status=status, text=to_xml(body), content_type="application/xml", charset="utf-8")
    page = HTML_ERROR.replace("{record}", secrets.token_hex(32))
    return web.Response(status=500, text=page, headers={"Content-Type": "text/html; charset=UTF-8"})


def page(status: int, text: str, content_type: str = "text/html; charset=UTF-8") -> web.Response:
    """Return an answer from before Magento's API: a web server's or an error page."""
    return web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})


def project(body: Any, fields: str) -> Any:
    """Return only the named fields, as the ``fields`` parameter asks.

    Parameters
    ----------
    fields:
        E.g. ``"items[entity_id,payment[method]],total_count"``; names that are not there are left out, and an empty
        list that is projected becomes None (recording ``search/06b_no_match_with_fields``).
    """
    if not isinstance(body, dict):
        return body
    wanted = _parse_fields(fields)
    return [] if wanted is None else _pick(body, wanted)


def _parse_fields(fields: str) -> dict[str, Any] | None:
    root: dict[str, Any] = {}
    stack, last = [root], ""
    tokens = _NAME_OR_BRACKET.findall(fields)
    if "".join(tokens) != fields:
        return None
    for token in tokens:
        if token == "[":  # noqa: S105 - a bracket
            inner: dict[str, Any] = {}
            stack[-1][last] = inner
            stack.append(inner)
        elif token == "]":  # noqa: S105 - a bracket
            if len(stack) == 1:
                return None
            stack.pop()
        elif token != ",":  # noqa: S105 - a comma
            stack[-1][token] = None
            last = token
    return root if len(stack) == 1 else None


def _pick(value: Any, wanted: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_pick(each, wanted) for each in value] or None
    if not isinstance(value, dict):
        return value
    return {
        name: inner if wanted[name] is None else _pick(inner, wanted[name])
        for name, inner in value.items()
        if name in wanted
    }
