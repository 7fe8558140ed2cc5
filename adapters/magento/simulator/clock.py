"""The shop's clock: UTC, in whole seconds, and wrong by as much as one likes."""

import time
from datetime import UTC, datetime


class Clock:
    """Tells the shop's time, in Magento's notation."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def epoch(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.offset

    def now(self) -> str:
        """Now as ``YYYY-MM-DD HH:MM:SS`` in UTC, the resolution that Magento stores."""
        return written(self.epoch())


def written(epoch: float) -> str:
    """Return a moment as Magento writes it.

    Parameters
    ----------
    epoch:
        Seconds since 1970.
    """
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%S")
