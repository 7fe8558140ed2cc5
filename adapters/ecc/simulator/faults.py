"""Faults that can be armed while the simulator runs, and which call each of them hits.

Which calls a fault hits is decided by function, key, count and a seed alone, so that a run can be repeated.
"""

import random
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct

from adapters.ecc.simulator.config import Seconds, Share


class Selection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Which calls a fault hits."""

    function: str = "*"
    """Name of the function module; ``*`` stands for any characters."""
    key: str = "*"
    """Order or customer key of a call, for commit and rollback those of the session's earlier calls; ``*`` again."""
    skip: Annotated[int, Meta(ge=0)] = 0
    """Calls to let pass first."""
    count: Annotated[int, Meta(ge=1)] | None = 1
    """Calls to hit; ``None``: all, until the fault is removed."""
    probability: Share = 1.0
    seed: int = 0
    """Of the draws that `probability` makes."""
    for_seconds: Seconds | None = None
    """How long the fault stays armed; ``None``: until it has hit `count` calls."""


class ConnectionLost(Selection, frozen=True, kw_only=True, tag="connection_lost"):
    """The connection dies around a call."""

    when: Literal["before", "during", "after", "afterwards"] = "before"
    """``before``: the call never runs. ``during``: at its start; it runs to its end, a COMMIT WORK takes effect, nobody
    waits for its update. ``after``: it has ended, its answer is lost. ``afterwards``: its answer arrives, then the
    connection dies."""


class SlowCall(Selection, frozen=True, kw_only=True, tag="slow_call"):
    """A call takes longer before it takes effect; a caller that gave up is not noticed."""

    seconds: Seconds


class SlowUpdate(Selection, frozen=True, kw_only=True, tag="slow_update"):
    """The update task of a commit takes this long."""

    seconds: Seconds


class UpdateTerminated(Selection, frozen=True, kw_only=True, tag="update_terminated"):
    """The update task of a commit fails: nothing is written, and who waits gets ``E S& 101``."""


class ReturnMessage(Selection, frozen=True, kw_only=True, tag="return_message"):
    """A BAPI does nothing and fills RETURN with this message."""

    type: Literal["E", "A"] = "E"
    id: Annotated[str, Meta(max_length=20)] = "V1"
    number: Annotated[str, Meta(pattern="^[0-9]{3}$")] = "799"
    message: Annotated[str, Meta(max_length=220)] = "Fault of the simulator"


class ShortDump(Selection, frozen=True, kw_only=True, tag="short_dump"):
    """The function module ends in a short dump, and its session with it."""

    message: str = "The current application triggered a termination with a short dump."


class LogonRefused(Selection, frozen=True, kw_only=True, tag="logon_refused"):
    """Logons are refused."""


class DeadSessionLingers(Selection, frozen=True, kw_only=True, tag="dead_session_lingers"):
    """ECC does not notice for a while that a session's connection is gone: its locks stay."""

    seconds: Seconds


class LockHeld(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="lock_held"):
    """Somebody else holds a lock, from now on."""

    object: Literal["EZORDERBUS_ORD", "EZORDERBUS_PEND", "EZORDERBUS_CUST"] = "EZORDERBUS_ORD"
    key: str
    for_seconds: Seconds


class DialogBusy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="dialog_busy"):
    """All dialog processes are at other work, from when they have ended what they do now."""

    for_seconds: Seconds


class Shutdown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="shutdown"):
    """ECC is down: connections break and none is accepted, sessions end, update tasks go on when it is back."""

    for_seconds: Seconds


Armed: TypeAlias = (
    ConnectionLost
    | SlowCall
    | SlowUpdate
    | UpdateTerminated
    | ReturnMessage
    | ShortDump
    | LogonRefused
    | DeadSessionLingers
)
"""Faults that wait for a call to hit."""
Fault: TypeAlias = Armed | LockHeld | DialogBusy | Shutdown
"""Every fault; the last three take effect at once."""

FaultT = TypeVar("FaultT", bound=Selection)


class _Trap(Struct):
    """An armed fault and what it has done so far."""

    fault: Armed
    until: float | None
    draws: random.Random
    passed: int = 0
    hits: int = 0

    def takes(self, function: str, keys: Collection[str]) -> bool:
        fault = self.fault
        if not fnmatchcase(function, fault.function):
            return False
        if fault.key != "*" and not any(fnmatchcase(key, fault.key) for key in keys):
            return False
        if self.passed < fault.skip:
            self.passed += 1
            return False
        if fault.probability < 1.0 and self.draws.random() >= fault.probability:
            return False
        self.hits += 1
        return True


class ArmedFaults:
    """The faults that wait, oldest first."""

    def __init__(self) -> None:
        self._traps: list[_Trap] = []
        self.hits: dict[str, int] = {}
        """Calls hit so far, by kind."""

    def arm(self, fault: Armed, now: float) -> None:
        """Wait for calls that the fault selects; `now` in seconds of the loop's clock."""
        until = None if fault.for_seconds is None else now + fault.for_seconds
        self._traps.append(_Trap(fault, until, random.Random(fault.seed)))  # noqa: S311 - repeatable, not secret

    def clear(self) -> None:
        """Remove all."""
        self._traps.clear()

    def waiting(self) -> Sequence[Armed]:
        """Return the faults that may still hit."""
        return [trap.fault for trap in self._traps]

    def take(self, kind: type[FaultT], function: str, keys: Collection[str], now: float) -> FaultT | None:
        """Return the first fault of a kind that hits this call, and count the hit."""
        if not self._traps:
            return None
        self._traps = [trap for trap in self._traps if trap.until is None or now < trap.until]
        for trap in self._traps:
            if isinstance(trap.fault, kind) and trap.takes(function, keys):
                tag = str(kind.__struct_config__.tag)
                self.hits[tag] = self.hits.get(tag, 0) + 1
                if trap.hits == trap.fault.count:
                    self._traps.remove(trap)
                return trap.fault
        return None
