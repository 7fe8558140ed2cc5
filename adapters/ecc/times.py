"""Times as the custom function modules carry them: CHAR 20, UTC, whole seconds."""

from datetime import UTC, datetime, timedelta, tzinfo

from schemas.failures import Permanent

FORM = "%Y-%m-%dT%H:%M:%SZ"


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return an aware time as the clocks of a zone show it.

    Raises
    ------
    Permanent
        There it lies before the year 1 or after the year 9999.
    """
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise Permanent(
            f"The message names the time {moment.isoformat()}, which no calendar of ECC's has.",
            "Look at the order's date in the shop.",
        ) from None


def to_ecc(moment: datetime) -> str:
    """Return an aware time as ECC takes it, cut to the second.

    >>> to_ecc(datetime(2026, 11, 23, 3, 0, 3, 900_000, tzinfo=UTC))
    '2026-11-23T03:00:03Z'
    """
    return in_zone(moment, UTC).strftime(FORM)


def to_ecc_rounded_up(moment: datetime) -> str:
    """Return the first whole second that is not before an aware time."""
    return to_ecc(moment + timedelta(microseconds=999_999))


def from_ecc(text: str, what: str) -> datetime:
    """Return a time that ECC gave.

    Parameters
    ----------
    what:
        Names the field, for the error text.

    Raises
    ------
    Permanent
        It is none.
    """
    try:
        return datetime.strptime(text, FORM).replace(tzinfo=UTC)
    except ValueError:
        raise Permanent(
            f"{what} is {text[:40]!r}, which is no time of the form YYYY-MM-DDTHH:MM:SSZ.",
            "Correct the function module in ECC as docs/ecc-interfaces.md describes it, and retry.",
        ) from None
