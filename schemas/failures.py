"""The two kinds of failure: what may heal by itself, and what needs a person."""


class Failure(Exception):  # noqa: N818 - failures, transient and permanent, are the field's own words
    """Something a handler could not do.

    Parameters
    ----------
    cause:
        What failed, where and why, in one sentence without personal data or secrets.
    remedy:
        What somebody can do about it, in one sentence.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


class Transient(Failure):
    """May succeed later: retried with growing delays, then dead-lettered.

    Parameters
    ----------
    retry_after:
        Seconds the other side asked to wait; the next delay is at least this long.
    """

    def __init__(self, cause: str, remedy: str, *, retry_after: float | None = None) -> None:
        super().__init__(cause, remedy)
        self.retry_after = retry_after


class Busy(Transient):
    """Somebody else is at it at this moment, such as the holder of a lock: tried again within seconds.

    For a while this uses up no attempt, since it says nothing against the message; where it stays so, it counts as
    any other transient failure.
    """


class Outage(Transient):
    """The other system is down for every message: opens the service's circuit, and uses up no attempt."""


class Permanent(Failure):
    """Will never succeed as it is: dead-lettered at once, with cause and remedy."""
