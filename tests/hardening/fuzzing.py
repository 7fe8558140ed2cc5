"""Hostile input: documents mutated in places drawn by hypothesis, and the settings under which that is done.

``make test`` runs the same few examples each time. ``ORDERBUS_FUZZ_EXAMPLES=5000`` runs so many of each test, new ones.
"""

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas.failures import Failure

EXAMPLES = int(os.environ.get("ORDERBUS_FUZZ_EXAMPLES", "0"))
Path = tuple[str | int, ...]


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """Return the decorator of a fuzz test.

    Parameters
    ----------
    examples:
        How many it runs in ``make test``.
    """
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def clear(failure: Failure) -> Failure:
    """Check that a failure says what to do, on one line of bounded length, and return it."""
    assert failure.cause.strip()
    assert failure.remedy.strip()
    assert len(str(failure)) < 3_000
    assert "\n" not in str(failure)
    return failure


SCALARS = st.sampled_from(
    [
        *(None, True, False, 0, -1, 7, 0.5, 1e308, 2**31, 2**63, 2**64, 10**30),
        *("", " ", "0", "-1", "x", "\0", "\n", "\r\nX-Injected: 1", "\u202e", "\U0001f642" * 40, "x" * 65, "x" * 600),
        *("x" * 11_000, "0" * 40, "NaN", "sNaN", "-Infinity", "1E+999999", "1E-999999", "1E+999999999999", "1e15"),
        *("0.00000000001", "99999999999999999999.99", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        *("2026-02-30T00:00:00Z", "0000-00-00 00:00:00", "9999-99-99 99:99:99", "0001-01-01 00:00:00"),
        *("2026-11-23 03:00:00", "../../etc/passwd", "' OR 1=1 --", "%(x)s", "{0.__class__}", "${HOME}", "EUR", "JPY"),
    ]
)
"""Values that some code somewhere does not expect."""
VALUES = st.one_of(
    SCALARS,
    st.text(max_size=20),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from([[], {}, [[]], [None], [{}], {"": ""}, [0] * 50, {"message": 1}]),
)


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield where something stands in a document of builtin types."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


@st.composite
def mutated(draw: st.DrawFn, document: Any, most: int = 3) -> Any:
    """Draw a document with up to so many changes: values replaced, removed, repeated or moved."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        known = list(places(changed))
        if not known:
            return draw(VALUES)
        *outer, last = draw(st.sampled_from(known))
        container = changed
        for key in outer:
            container = container[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat", "swap"])):
            case "replace":
                container[last] = copy.deepcopy(draw(VALUES))
            case "remove":
                del container[last]
            case "repeat" if isinstance(container, list):
                container += [copy.deepcopy(container[last]) for _ in range(draw(st.integers(1, 3)))]
            case _:
                other = draw(st.sampled_from(sorted(container, key=str) if isinstance(container, dict) else [last]))
                container[last], container[other] = container[other], container[last]
    return changed


def changed_in(document: Any, value: Any, *place: str | int) -> Any:
    """Return a document with one value replaced, as an example that is always tried."""
    changed = copy.deepcopy(document)
    container = changed
    for key in place[:-1]:
        container = container[key]
    container[place[-1]] = value
    return changed
