"""Magento's search criteria as query parameters."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Condition = Literal["eq", "gt", "gteq", "lt", "lteq", "in", "nin", "null", "notnull"]


class Filter(Struct, frozen=True):
    """One condition. Upper case or an unknown condition would silently be taken for ``eq``."""

    field: str
    condition: Condition
    value: str = ""


def any_of(field: str, values: Iterable[str], *, exclude: bool = False) -> Filter:
    """Return a filter on a list of values; values with commas cannot be searched for this way."""
    return Filter(field, "nin" if exclude else "in", ",".join(values))


def criteria(
    filters: Sequence[Filter], *, size: int, sort: Sequence[str] = (), fields: str = ""
) -> list[tuple[str, str]]:
    """Return the parameters of a search for what meets all filters, first page, in ascending order.

    Parameters
    ----------
    filters:
        Each is a group of its own, and groups are joined by "and".
    size:
        Most rows to return.
    sort:
        Fields to sort by.
    fields:
        Magento's selection of what to return, e.g. ``items[entity_id]``; empty returns all.
    """
    pairs = []
    for position, one in enumerate(filters):
        prefix = f"searchCriteria[filterGroups][{position}][filters][0]"
        pairs.append((f"{prefix}[field]", one.field))
        pairs.append((f"{prefix}[value]", one.value))
        pairs.append((f"{prefix}[conditionType]", one.condition))
    for position, field in enumerate(sort):
        pairs.append((f"searchCriteria[sortOrders][{position}][field]", field))
        pairs.append((f"searchCriteria[sortOrders][{position}][direction]", "ASC"))
    pairs.append(("searchCriteria[pageSize]", str(size)))
    pairs.append(("searchCriteria[currentPage]", "1"))
    if fields:
        pairs.append(("fields", fields))
    return pairs
