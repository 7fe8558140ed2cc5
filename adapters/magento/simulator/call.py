"""One request to the API, as its handlers see it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from . import criteria
from .access import Caller
from .answers import ApiError
from .config import Store
from .criteria import Criteria
from .query import Tree
from .shop import Shop

MAX_INT = 2**63 - 1


def as_number(text: str) -> int:
    """Return the id in a path as PHP casts it: ``1.5`` and ``000000001`` both mean 1.

    Raises
    ------
    ApiError
        400 for what is no number (recording ``search/31_id_not_int``).
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < MAX_INT:
        message = f'The "{text}" value\'s type is invalid. The "int" type was expected. Verify and try again.'
        raise ApiError(400, message)
    return int(value)


class Call(Struct, frozen=True):
    """A request that was let in."""

    shop: Shop
    path: Mapping[str, str]
    """Parts of the path by name, decoded."""
    query: Tree
    body: Any
    """Decoded JSON; None without a body."""
    store: Store
    """Of the path, or the default one."""
    caller: Caller
    service_time: Callable[[], Awaitable[None]]
    """Spends the request's service time. A write calls it between reading its rows and writing them back."""

    @property
    def id(self) -> int:
        """The id in the path."""
        return as_number(self.path["id"])

    def object(self, name: str) -> dict[str, Any]:
        """Return a part of the body, empty where it is absent or no object."""
        given = self.body.get(name) if isinstance(self.body, dict) else None
        return given if isinstance(given, dict) else {}

    def criteria(self) -> Criteria:
        """Return the search criteria of the query, within the shop's limits.

        Raises
        ------
        ApiError
            400, see `criteria.read`, or where the page is larger than the shop allows.
        """
        wanted = criteria.read(self.query)
        limits = self.shop.config.limits
        if wanted.page_size is None and limits.default_page_size is not None:
            wanted = Criteria(wanted.groups, wanted.sorts, limits.default_page_size, wanted.current_page)
        if limits.max_page_size is not None and (wanted.page_size or 0) > limits.max_page_size:
            raise ApiError(400, "Maximum SearchCriteria pageSize is %max", {"max": limits.max_page_size})
        return wanted
