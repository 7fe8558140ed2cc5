"""What `orderbus check` asks of ECC: can it be reached, and are its function modules there and allowed."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from adapters.ecc.config import EccConfig
from adapters.ecc.mapping.sales_order import FUNCTION
from adapters.ecc.sessions import Sessions
from schemas.failures import Failure, Permanent

PROBE_KEY = "ORDERBUS-CHECK"
"""An order and customer key that no order has: store codes begin with a small letter, customer keys with a website."""

HARMLESS: Mapping[str, Mapping[str, Any]] = {
    "Z_ORDERBUS_ORDER_OPEN": {
        "IV_ORDER_KEY": PROBE_KEY,
        "IV_SCOPE": "2",
        "IV_FIELD": "C",
        "IV_CUSTOMER_KEY": PROBE_KEY,
    },
    "Z_ORDERBUS_PENDING_GET": {"IV_CUSTOMER_KEY": PROBE_KEY, "IV_MAX_ROWS": 1, "IV_PEEK": "X"},
    "Z_ORDERBUS_PENDING_CLEAR": {"IV_ORDER_KEY": PROBE_KEY, "IV_REASON": "CANCELLED"},
    "Z_ORDERBUS_CUSTOMERS_CHANGED": {"IV_MAX_ROWS": 1},
    "Z_ORDERBUS_ORDERS_FIND": {"IT_KEYS": [{"ORDER_KEY": PROBE_KEY}]},
    "Z_ORDERBUS_PENDING_ADD": {"IS_PENDING": {}},
    "Z_ORDERBUS_CUSTOMER_REGISTER": {"IS_CUSTOMER": {"CUSTOMER_KEY": PROBE_KEY}, "IV_FIND_ONLY": "X"},
    # Incomplete on purpose, as a test run, and rolled back: its RETURN says what is missing.
    FUNCTION: {"ORDER_HEADER_IN": {}, "ORDER_PARTNERS": [], "TESTRUN": "X"},
}
"""Calls that change nothing."""
REFUSING = frozenset({"Z_ORDERBUS_PENDING_ADD"})
"""Those that refuse their input, here one without an order key, which says that they are there and may be called."""


class Finding(Struct, frozen=True):
    """One line of the check."""

    what: str
    """What was looked at."""
    failure: Failure | None = None
    """What is wrong and what to do; ``None`` when it is fine."""


def check(sessions: Sessions, config: EccConfig) -> Iterator[Finding]:
    """Look at everything that the adapter needs of ECC, a finding at a time; it blocks.

    Whoever calls it gets a first finding for the connection; without one there are no others.
    """
    reached = _finding(f"ECC as {config.connection.user or 'SNC user'}", sessions, "RFC_PING", {})
    yield reached
    if reached.failure is not None:
        return
    for function, parameters in HARMLESS.items():
        yield _finding(f"ECC function module {function}", sessions, function, parameters)


def _finding(what: str, sessions: Sessions, function: str, parameters: Mapping[str, Any]) -> Finding:
    try:
        with sessions.take() as session:
            session.call(function, **parameters)
            session.rollback()
    except Failure as failure:
        refused_as_meant = isinstance(failure, Permanent) and function in REFUSING
        return Finding(what, None if refused_as_meant else failure)
    return Finding(what)
