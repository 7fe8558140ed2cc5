"""A BAPI call as text: a table each, so that a person can compare it with the order."""

from collections.abc import Mapping
from typing import Any


def rendered(function: str, parameters: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return a call as text, below what it was made from."""
    width = max(map(len, about))
    parts = [f"{name:<{width}}  {value}" for name, value in about.items()]
    parts += ["", function]
    for name, value in parameters.items():
        rows = [value] if isinstance(value, Mapping) else value
        table = _flags if name.endswith("_INX") else _table
        parts += ["", name, *(table(rows) if rows else ["  (no rows)"])]
    return "\n".join(parts) + "\n"


def _flags(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return a line for each row: its keys and update flag, then the names of what is flagged."""
    return [
        "  "
        + " ".join([*(str(value) for value in row.values() if value != "X"), "X:", *(n for n in row if row[n] == "X")])
        for row in rows
    ]


def _table(rows: list[Mapping[str, Any]]) -> list[str]:
    if len(rows) == 1:
        width = max(map(len, rows[0]))
        return [f"  {name:<{width}}  {value}" for name, value in rows[0].items()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return [f"  {_spaced(line, widths)}".rstrip() for line in cells]


def _spaced(cells: list[str], widths: list[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
