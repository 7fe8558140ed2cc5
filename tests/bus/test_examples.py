"""The examples in the bus's docstrings are true."""

import doctest

import pytest

from bus import breaker, config, headers, lane


@pytest.mark.parametrize("module", [breaker, config, headers, lane], ids=lambda module: module.__name__)
def test_examples_hold(module: object) -> None:
    outcome = doctest.testmod(module)  # type: ignore[arg-type]
    assert outcome.attempted
    assert not outcome.failed
