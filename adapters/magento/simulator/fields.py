"""The fields of orders and customers, typed by the shop's own schema, and how Magento checks input by them."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from .answers import NOT_SUPPORTED, ApiError
from .criteria import camel

_INT = re.compile(r"[+-]?\d+$")
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")


def _load() -> dict[str, dict[str, str]]:
    document = json.loads(files(__package__).joinpath("fields.json").read_text())
    return {
        name: {field: kind for kind, fields in by_type.items() for field in fields}
        for name, by_type in document.items()
    }


TYPES = _load()
"""Type of each field of ``order``, ``item``, ``payment``, ``address``, ``history`` and ``customer``.

Generated from Magento 2.4.7's ``/rest/all/schema`` (recording ``swagger_sales_customer.json``).
"""
LENGTHS: Mapping[str, int] = {
    "state": 32, "status": 32, "increment_id": 50, "customer_email": 128, "customer_firstname": 128,
    "customer_lastname": 128, "customer_taxvat": 32, "ext_customer_id": 32, "ext_order_id": 32,
    "coupon_code": 255, "store_name": 255, "shipping_description": 255, "po_number": 32, "method": 128,
    "ext_order_item_id": 255, "sku": 255, "name": 255, "country_id": 2, "city": 255, "postcode": 255, "region": 255,
}  # fmt: skip
"""Columns of varchar (``db_columns.tsv``); the database cuts what is longer, without an error."""


def wrong_type(name: str, value: Any, expected: str) -> ApiError:
    """Return the 400 of a value that cannot be cast."""
    return ApiError(
        400,
        f'Error occurred during "{name}" processing. The "{_php_text(value)}" value\'s type is invalid. '
        f'The "{expected}" type was expected. Verify and try again.',
    )


def _php_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return "Array" if isinstance(value, dict | list) else str(value)


def checked(kind: str, given: Any, extensions: str | None = None) -> dict[str, Any]:
    """Return an input object with its values cast, as Magento's input processor does.

    Parameters
    ----------
    kind:
        One of the keys of `TYPES`.
    extensions:
        The key of `TYPES` for its ``extension_attributes``; None does not check them.

    Raises
    ------
    ApiError
        400 with the CamelCased name of the first unknown field, or with the value that cannot be cast.
    """
    if not isinstance(given, dict):
        raise wrong_type(kind, given, "array")
    types = TYPES[kind]
    result = {}
    for name, value in given.items():
        if name not in types:
            raise ApiError(400, NOT_SUPPORTED, {"fieldName": camel(name)})
        result[name] = cast(name, value, types[name])
    if extensions and isinstance(result.get("extension_attributes"), dict):
        checked(extensions, result["extension_attributes"])
    return result


def cast(name: str, value: Any, expected: str) -> Any:
    """Return a scalar cast to its field's type; objects and lists pass.

    Raises
    ------
    ApiError
        400, where Magento would not cast it: a JSON ``true`` is no int.
    """
    if value is None or expected in ("array", "object"):
        return value
    if isinstance(value, dict | list):
        raise wrong_type(name, value, expected)
    if expected == "bool":
        return value if isinstance(value, bool) else str(value) not in ("", "0", "false")
    if isinstance(value, bool):
        raise wrong_type(name, value, expected)
    text = str(value)
    if expected == "string":
        return text
    if not (_INT if expected == "int" else _FLOAT).match(text):
        raise wrong_type(name, value, expected)
    amount = float(text)
    return int(text) if expected == "int" else (int(amount) if amount.is_integer() else amount)


def stored(name: str, value: Any) -> Any:
    """Return a value as the column keeps it.

    Text is cut at the column's length, an empty ``ext_*`` becomes NULL, and characters beyond the basic plane
    become ``????`` since the tables are utf8mb3 (recording ``order_update/31_emoji``).
    """
    if not isinstance(value, str):
        return value
    if value == "" and name.startswith("ext_"):
        return None
    plain = "".join("????" if ord(character) > 0xFFFF else character for character in value)
    return plain[: LENGTHS[name]] if name in LENGTHS else plain
