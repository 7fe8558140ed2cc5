"""Recorded answers of a real Magento 2.4.7-p3; see ``tests/recordings/README.md``."""

import json
from pathlib import Path
from typing import Any

import msgspec

from adapters.magento.rest_types import OrderJson

FOLDER = Path(__file__).parent.parent / "recordings" / "magento"


def recording(name: str) -> dict[str, Any]:
    """Return a recording's request and response."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def body(name: str) -> Any:
    """Return a recorded answer's body."""
    return recording(name)["response"]["body"]


def recorded_orders() -> dict[str, dict[str, Any]]:
    """Return every order whose JSON was recorded whole, by where it stands."""
    alone = {f"orders/{path.stem}": body(f"orders/{path.stem}") for path in sorted((FOLDER / "orders").glob("*.json"))}
    listed = {f"search/{order['increment_id']}": order for order in body("search/02_empty_criteria")["items"]}
    return alone | listed


def as_order(document: dict[str, Any]) -> OrderJson:
    """Decode an order as it comes from the shop."""
    return msgspec.json.decode(msgspec.json.encode(document), type=OrderJson)
