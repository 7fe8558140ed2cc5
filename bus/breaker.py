"""A circuit breaker: while the other system is down, no message is tried on it but one from time to time."""

import random
from collections.abc import Sequence
from typing import Literal


class Breaker:
    """The state of one service's circuit.

    It opens with an outage, lets single messages through after a delay that grows with each outage in a row, and
    closes with the first answer of any other kind. Messages carry the `round` in which they were begun, so that those
    begun before the circuit opened have no say any more.

    Parameters
    ----------
    delays:
        Seconds for which it stays open at most the first, second ... time in a row; the last one repeats. Each time is
        scattered over the second half of that, so that replicas which lost the other system together do not all try
        it at once.

    Examples
    --------
    >>> breaker = Breaker((1, 2))
    >>> 0.5 <= breaker.outage(breaker.round) <= 1, breaker.outage(0), breaker.state
    (True, None, 'open')
    >>> breaker.try_one(); breaker.state
    'trial'
    >>> 1 <= breaker.outage(breaker.round) <= 2
    True
    >>> breaker.try_one(); breaker.answer(breaker.round), breaker.state
    (True, 'closed')
    """

    def __init__(self, delays: Sequence[float]) -> None:
        self.state: Literal["closed", "open", "trial"] = "closed"
        self.round = 0
        self._delays = delays
        self._outages = 0

    def outage(self, begun: int) -> float | None:
        """Take note of an outage; return for how many seconds the circuit opens, or ``None`` if that is old news."""
        if self.state == "open" or begun != self.round:
            return None
        delay = self._delays[min(self._outages, len(self._delays) - 1)]
        self._outages += 1
        self.round += 1
        self.state = "open"
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def try_one(self) -> None:
        """Let a message through."""
        self.state = "trial"

    def answer(self, begun: int) -> bool:
        """Take note that the other system answered; return whether that closes the circuit."""
        if self.state != "trial" or begun != self.round:
            return False
        self.state = "closed"
        self._outages = 0
        return True
