"""Faults of ECC, as its simulator brings them about."""

import random
from typing import Any

from tests.faults.bench import Bench
from tests.faults.plan import Entry, Healing, Injector
from tests.stack import post

CREATE, COMMIT = "BAPI_SALESORDER_CREATEFROMDAT2", "BAPI_TRANSACTION_COMMIT"
REGISTER = "Z_ORDERBUS_CUSTOMER_REGISTER"
WORKING = (
    CREATE,
    COMMIT,
    "Z_ORDERBUS_ORDER_OPEN",
    "Z_ORDERBUS_PENDING_ADD",
    "Z_ORDERBUS_PENDING_GET",
    "Z_ORDERBUS_PENDING_CLEAR",
    REGISTER,
)
"""Function modules that a fault may hit."""
CALL_TIMEOUT = 10.0
"""Seconds; what `tests.stack` configures."""
REFUSAL = "Fault of the simulator"
"""What RETURN says when it is a fault's."""


def _armed(bench: Bench, *faults: dict[str, Any]) -> None:
    bench.ecc_faults(faults)


def lost(when: str) -> Injector:
    """Return the fault that breaks connections around calls."""

    def inject(bench: Bench, draws: random.Random) -> None:
        function, count = draws.choice(WORKING), draws.randint(1, 4)
        _armed(bench, {"kind": "connection_lost", "when": when, "function": function, "count": count})

    return inject


def lost_between(bench: Bench, draws: random.Random) -> None:
    """Break connections between the BAPI and its commit."""
    count = draws.randint(1, 3)
    _armed(bench, {"kind": "connection_lost", "when": "afterwards", "function": CREATE, "count": count})


def commit_unanswered(bench: Bench, draws: random.Random) -> None:
    """Lose the answer of commits that take effect at once."""
    count = draws.randint(1, 3)
    _armed(bench, {"kind": "connection_lost", "when": "during", "function": COMMIT, "count": count})


def commit_late(bench: Bench, draws: random.Random) -> None:
    """Lose the answer of a commit whose update is at work while the retry asks already."""
    seconds = draws.uniform(1.5, 5.0)
    _armed(
        bench,
        {"kind": "slow_update", "seconds": seconds},
        {"kind": "connection_lost", "when": "during", "function": COMMIT},
    )


def timeout(bench: Bench, draws: random.Random) -> None:
    """Let a call take effect after its caller has given up."""
    function = draws.choice((CREATE, COMMIT, REGISTER, "Z_ORDERBUS_PENDING_ADD", "Z_ORDERBUS_PENDING_CLEAR"))
    _armed(bench, {"kind": "slow_call", "function": function, "seconds": CALL_TIMEOUT + draws.uniform(0.5, 3.0)})


def dead_session(bench: Bench, draws: random.Random) -> None:
    """Leave a dead session's locks for a while."""
    _armed(
        bench,
        {"kind": "dead_session_lingers", "seconds": draws.uniform(2.0, 10.0)},
        {"kind": "connection_lost", "when": "after", "function": draws.choice((CREATE, "Z_ORDERBUS_ORDER_OPEN"))},
    )


def refused(kind: str) -> Injector:
    """Return the fault that fills RETURN: a person has to look, and then sends the dead letter again."""

    def inject(bench: Bench, draws: random.Random) -> None:
        function = draws.choice((CREATE, CREATE, REGISTER))
        _armed(bench, {"kind": "return_message", "type": kind, "function": function, "message": REFUSAL})

    return inject


def update_terminated(bench: Bench, draws: random.Random) -> None:
    """Terminate the update of commits: nothing is written."""
    _armed(bench, {"kind": "update_terminated", "count": draws.randint(1, 2)})


def short_dump(bench: Bench, draws: random.Random) -> None:
    """End a call in a short dump."""
    _armed(bench, {"kind": "short_dump", "function": draws.choice(WORKING)})


def logon_refused(bench: Bench, draws: random.Random) -> None:
    """Refuse logons."""
    _armed(bench, {"kind": "logon_refused", "count": draws.randint(1, 5), "for_seconds": 5.0})


def lock_held(bench: Bench, draws: random.Random) -> None:
    """Let somebody hold the lock of an order that is about to be written."""
    orders = bench.stack.orders()
    number = int(orders[-1]["increment_id"]) + draws.randint(0, 3) if orders else 1
    fault = {"kind": "lock_held", "key": f"default-{number:09}", "for_seconds": draws.uniform(1.0, 8.0)}
    post(f"{bench.stack.ecc_url}/_simulator/faults", fault)


def dialog_busy(bench: Bench, draws: random.Random) -> Healing:
    """Have all dialog processes at other work."""
    seconds = draws.uniform(1.0, 6.0)
    _armed(bench, {"kind": "dialog_busy", "for_seconds": seconds})
    return Healing(seconds, _nothing)


def shutdown(bench: Bench, draws: random.Random) -> Healing:
    """Shut ECC down: an hour of it, told in seconds; what counts is that it outlasts every retry in place."""
    seconds = draws.uniform(4.0, 15.0)
    _armed(bench, {"kind": "shutdown", "for_seconds": seconds})
    return Healing(seconds, _nothing)


def _nothing() -> None:
    pass


CATALOGUE = (
    *(Entry(f"connection lost {when}", lost(when)) for when in ("before", "during", "after")),
    Entry("connection lost between BAPI and commit", lost_between, weight=2),
    Entry("commit's answer lost", commit_unanswered, weight=2),
    Entry("commit's answer lost, update at work", commit_late, weight=2),
    Entry("time-out, then effect", timeout),
    Entry("lock of a dead session", dead_session),
    Entry("lock held by somebody", lock_held),
    Entry("RETURN with E", refused("E")),
    Entry("RETURN with A", refused("A")),
    Entry("update terminated", update_terminated),
    Entry("short dump", short_dump),
    Entry("logon refused", logon_refused),
    Entry("dialog processes busy", dialog_busy),
    Entry("shutdown", shutdown, alone="shutdown"),
)
