"""Search criteria: how Magento reads them from a query string, and the SQL that they become."""

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from .answers import NOT_SUPPORTED, ApiError, required
from .query import Tree

Type = Literal["int", "float", "string", "time"]
MAX_FILTERS = 500
_DATE = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)")
_INT = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*$")
_COMPARISONS = {
    "eq": "=", "neq": "<>", "gt": ">", "lt": "<", "gteq": ">=", "lteq": "<=", "moreq": ">=", "from": ">=", "to": "<=",
    "seq": "=", "sneq": "<>",
}  # fmt: skip


class Column(Struct, frozen=True):
    """What a field name stands for in SQL."""

    sql: str
    type: Type = "string"


class Filter(Struct, frozen=True):
    """One condition."""

    field: str
    value: str | None
    condition: str


class Sort(Struct, frozen=True):
    """One sort order."""

    field: str
    direction: str


class Criteria(Struct, frozen=True):
    """Groups of filters (AND between groups, OR within one), sort orders and a page."""

    groups: tuple[tuple[Filter, ...], ...] = ()
    sorts: tuple[Sort, ...] = ()
    page_size: int | None = None
    current_page: int | None = None

    def echo(self) -> dict[str, Any]:
        """Return what Magento repeats of it in its answer: only what was given."""
        groups = [{"filters": [_echo_filter(each) for each in group]} for group in self.groups]
        echoed: dict[str, Any] = {"filter_groups": groups}
        if self.sorts:
            echoed["sort_orders"] = [{"field": sort.field, "direction": sort.direction} for sort in self.sorts]
        if self.page_size is not None:
            echoed["page_size"] = self.page_size
        if self.current_page is not None:
            echoed["current_page"] = self.current_page
        return echoed


class Table(Struct, frozen=True):
    """What can be searched: a table, its key, and its fields."""

    name: str
    key: str
    column: Callable[[str], Column]
    """Returns what a field name stands for; raises what Magento answers to an unknown one."""


class Found(Struct, frozen=True):
    """A page of rows, and how many there are in all."""

    rows: Sequence[sqlite3.Row]
    total: int


def _echo_filter(each: Filter) -> dict[str, Any]:
    echoed: dict[str, Any] = {"field": each.field}
    if each.value is not None:
        echoed["value"] = each.value
    return {**echoed, "condition_type": each.condition}


def equals(field: str, value: object) -> Criteria:
    """Return the criteria that Magento itself builds to list what belongs to something."""
    return Criteria(groups=((Filter(field, str(value), "eq"),),))


def read(query: Tree) -> Criteria:
    """Return the search criteria of a parsed query string.

    Raises
    ------
    ApiError
        400, where they are absent, or hold a key or a type that Magento does not take.
    """
    given = query.get("searchCriteria", query.get("search_criteria"))
    if given is None:
        raise required("searchCriteria")
    if not isinstance(given, dict):
        return Criteria()
    parts = _known(given, {"filter_groups", "sort_orders", "page_size", "current_page"})
    groups = tuple(
        tuple(_filter(each) for each in _children(_known(group, {"filters"}).get("filters")))
        for group in _children(parts.get("filter_groups"))
    )
    if sum(len(group) for group in groups) > MAX_FILTERS:
        raise ApiError(400, f"The simulator takes at most {MAX_FILTERS} filters.")
    return Criteria(
        groups=groups,
        sorts=tuple(_sort(each) for each in _children(parts.get("sort_orders"))),
        page_size=_int("pageSize", parts.get("page_size")),
        current_page=_int("currentPage", parts.get("current_page")),
    )


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def snake(name: str) -> str:
    """Return a name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def camel(name: str) -> str:
    """Return a name in CamelCase, as Magento reports fields it does not know."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _known(given: Any, names: set[str]) -> Tree:
    if not isinstance(given, dict):
        return {}
    parts = {snake(name): value for name, value in given.items()}
    for name in parts:
        if name not in names:
            raise ApiError(400, NOT_SUPPORTED, {"fieldName": camel(name)})
    return parts


def _int(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _INT.match(value):
        text = value if isinstance(value, str) else "Array"
        raise ApiError(
            400,
            f'Error occurred during "{name}" processing. The "{text}" value\'s type is invalid. '
            'The "int" type was expected. Verify and try again.',
        )
    return int(float(value))


def _filter(given: Any) -> Filter:
    parts = _known(given, {"field", "value", "condition_type"})
    value = parts.get("value")
    return Filter(
        field=str(parts.get("field", "")),
        value=None if value is None else str(value),
        condition=str(parts.get("condition_type") or "eq"),
    )


def _sort(given: Any) -> Sort:
    parts = _known(given, {"field", "direction"})
    direction = str(parts.get("direction", "")).upper()
    if direction not in ("ASC", "DESC"):
        message = "The sort order has to be specified as %1 for ascending order or %2 for descending order."
        raise ApiError(400, message, ["ASC", "DESC"])
    return Sort(field=str(parts.get("field", "")), direction=direction)


def find(connection: sqlite3.Connection, table: Table, criteria: Criteria) -> Found:
    """Search a table.

    Raises
    ------
    ApiError
        What the table answers to a field that it does not know.
    """
    where, values = _where(table, criteria)
    order = ", ".join(f"{table.column(sort.field).sql} {sort.direction}" for sort in criteria.sorts)
    total = connection.execute(f"SELECT count(*) FROM {table.name}{where}", values).fetchone()[0]  # noqa: S608 - bound values, known names
    sql = f"SELECT * FROM {table.name}{where} ORDER BY {order or table.key}"  # noqa: S608 - bound values, known names
    size = criteria.page_size or 0
    if size > 0:
        page = max(criteria.current_page or 1, 1)
        sql += f" LIMIT {size} OFFSET {(page - 1) * size}"
    return Found(rows=connection.execute(sql, values).fetchall(), total=total)


def _where(table: Table, criteria: Criteria) -> tuple[str, list[Any]]:
    clauses, values = [], []
    for group in criteria.groups:
        conditions = [_condition(table.column(each.field), each) for each in group]
        if conditions:
            clauses.append("(" + " OR ".join(sql for sql, _ in conditions) + ")")
            values += [value for _, bound in conditions for value in bound]
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values


def _condition(column: Column, each: Filter) -> tuple[str, list[Any]]:  # noqa: PLR0911 - one way out per operator
    text = each.value or ""
    match each.condition:
        case "null":
            return f"{column.sql} IS NULL", []
        case "notnull":
            return f"{column.sql} IS NOT NULL", []
        case "in" | "nin":
            members = [_value(column, part) for part in text.split(",")]
            negated = "NOT " if each.condition == "nin" else ""
            return f"{column.sql} {negated}IN ({', '.join('?' * len(members))})", members
        case "like" | "nlike":
            return f"{column.sql} {'NOT ' if each.condition == 'nlike' else ''}LIKE ?", [text]
        case "finset" | "nfinset":
            found = "=" if each.condition == "nfinset" else ">"
            return f"instr(',' || {column.sql} || ',', ?) {found} 0", [f",{text},"]
        case "is":
            return f"{column.sql} IS ?", [_value(column, text)]
        # An operator that Magento does not know, an upper-case one included, silently means equality.
        case condition:
            return f"{column.sql} {_COMPARISONS.get(condition, '=')} ?", [_value(column, text)]


def _value(column: Column, text: str) -> Any:
    """Return a filter's text as the database would compare it with the column."""
    if column.type == "string":
        return text
    if column.type == "time":
        return _moment(text)
    match = _NUMBER.match(text)
    value = float(match.group()) if match else 0.0
    return int(value) if value.is_integer() else value


def _moment(text: str) -> str:
    """Return a moment as MariaDB reads it: zones are ignored, and what is no date is before all dates."""
    match = _DATE.match(text)
    if not match:
        return "0000-00-00 00:00:00"
    year, month, day, *time = (int(part or 0) for part in match.groups())
    hour, minute, second = time
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def answer(items: Sequence[Any], found: Found, criteria: Criteria) -> dict[str, Any]:
    """Return search results as Magento wraps them."""
    return {"items": list(items), "search_criteria": criteria.echo(), "total_count": found.total}


def columns(
    types: Mapping[str, str], real: Mapping[str, str], unknown: Callable[[str], ApiError]
) -> Callable[[str], Column]:
    """Return the look-up of a table whose rows are JSON documents with some fields in columns of their own.

    Parameters
    ----------
    types:
        JSON type of each field that may be searched.
    real:
        Fields that have a column, and its name.
    unknown:
        Makes the answer to a field that is in neither.
    """

    def column(field: str) -> Column:
        if field not in types:
            raise unknown(field)
        declared: Type = "time" if field in ("created_at", "updated_at") else _sql_type(types[field])
        if field in real:
            return Column(real[field], declared)
        # The field is one of `types`, so nothing foreign enters the SQL.
        extract = f"json_extract(doc, '$.{field}')"
        return Column(f"{extract} COLLATE NOCASE" if declared == "string" else extract, declared)

    return column


def _sql_type(declared: str) -> Type:
    return declared if declared in ("int", "float") else "string"  # type: ignore[return-value]
