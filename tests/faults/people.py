"""People in ECC who register whoever waits, while everything around them fails."""

import threading

from tests.stack import Stack

PAUSE = 1.0
"""Seconds between two looks at who waits."""


class People:
    """Registers, in a thread of its own, every customer whose order waits.

    Parameters
    ----------
    stack:
        The system in whose ECC they work.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._work, name="people", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._gone.wait(PAUSE):
            try:
                self._stack.register_everybody()
            except OSError:
                continue  # a fault hit them too, and they try again

    def close(self) -> None:
        """Let them go home."""
        self._gone.set()
        self._thread.join()
