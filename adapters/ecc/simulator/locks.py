"""The enqueue server: exclusive locks, and which of a session's two owners holds each.

A lock of scope 1 belongs to the dialog session and ends with it. One of scope 2 belongs to the session's current unit
of work: a rollback frees it, and COMMIT WORK hands it to the update task, which frees it when it ends. A commit with
nothing to update hands nothing on.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Scope = Literal[1, 2]


class Lock(Struct, frozen=True):
    """One entry of the lock table."""

    argument: str
    """Lock object and key, e.g. ``EZORDERBUS_ORD:default-000000011``."""
    owner: str
    """Id of the session or update request that holds it."""
    scope: Scope


class ForeignLockError(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: Lock) -> None:
        super().__init__(f"held by {holder.owner}")
        self.holder = holder


class LockTable:
    """All locks, by argument; knows nothing of why they are taken."""

    def __init__(self) -> None:
        self._locks: dict[str, Lock] = {}

    def __len__(self) -> int:
        return len(self._locks)

    def all(self) -> list[Lock]:
        """Return every lock, oldest first."""
        return list(self._locks.values())

    def enqueue(self, argument: str, owner: str, scope: Scope) -> None:
        """Take a lock; an owner may ask again for what it holds.

        Raises
        ------
        ForeignLockError
            Another owner holds it.
        """
        holder = self._locks.get(argument)
        if holder is not None and holder.owner != owner:
            raise ForeignLockError(holder)
        self._locks[argument] = Lock(argument, owner, scope)

    def hand_on(self, owner: str, heir: str) -> tuple[str, ...]:
        """Give an owner's locks of scope 2 to another one; returns their arguments."""
        handed = [lock for lock in self._locks.values() if lock.owner == owner and lock.scope == 2]
        for lock in handed:
            self._locks[lock.argument] = Lock(lock.argument, heir, 2)
        return tuple(lock.argument for lock in handed)

    def take_back(self, arguments: Iterable[str], owner: str) -> None:
        """Restore locks of an update request after a restart."""
        for argument in arguments:
            self._locks[argument] = Lock(argument, owner, 2)

    def free(self, owner: str, scope: Scope | None = None) -> None:
        """Free an owner's locks, or those of one scope."""
        for lock in [lock for lock in self._locks.values() if lock.owner == owner and scope in {None, lock.scope}]:
            del self._locks[lock.argument]

    def dequeue(self, argument: str, owner: str) -> None:
        """Free one lock if the owner holds it."""
        holder = self._locks.get(argument)
        if holder is not None and holder.owner == owner:
            del self._locks[argument]
