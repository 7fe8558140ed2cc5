"""What a thread that turns has to do beside reading its socket: work that others post, and timers."""

import contextlib
import heapq
import itertools
import socket
import time
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class Inbox:
    """Posted work and timers of one thread, with a file descriptor that wakes it."""

    def __init__(self) -> None:
        self._posted: deque[Work] = deque()
        self._timers: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()
        self._woken = False
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    def fileno(self) -> int:
        """Return what becomes readable when work is posted."""
        return self._ear.fileno()

    def post(self, work: Work) -> None:
        """Have something run by the thread, soon; may be called from any thread."""
        self._posted.append(work)
        if not self._woken:
            self._woken = True
            try:
                self._bell.send(b"\0")
            except OSError:
                # Full: a wake-up is on its way already. Closed: the thread has ended, and nobody waits.
                return

    def call_later(self, delay: float, work: Work) -> None:
        """Have something run by the thread after some seconds; may be called by that thread alone."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), work))

    def patience(self, longest: float) -> float:
        """Return the seconds until there is something to do, at most `longest`."""
        if self._posted:
            return 0.0
        return max(0.0, min(longest, self._timers[0][0] - time.monotonic())) if self._timers else longest

    def run(self) -> None:
        """Run what was posted and the timers that are due."""
        # In this order: work posted after the flag is cleared rings again, work posted before is found below. A bell
        # that rang for work already done costs one more turn.
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        self._woken = False
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Give the sockets back."""
        self._bell.close()
        self._ear.close()
