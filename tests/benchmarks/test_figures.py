"""The figures that decide whether a target is reached."""

import pytest

from benchmarks.contender import Sample
from benchmarks.memory import Step, growth
from benchmarks.report import Comparison, Figure

SLOW, FAST = Sample(100, 500, 400, 30), Sample(600, 50, 80, 30)


def test_a_ratio_is_the_median_of_what_each_round_gave() -> None:
    ours = [FAST, FAST, Sample(50, 50, 80, 30)]
    figure = Comparison("rate", "ours", "theirs").figure({"ours": ours, "theirs": [SLOW, Sample(300, 1, 1, 1), SLOW]})
    assert figure is not None
    assert figure.rounds == (6, 2, 0.5)
    assert figure.value == 2


def test_a_contender_that_did_not_run_makes_no_figure() -> None:
    assert Comparison("rate", "ours", "theirs").figure({"ours": [FAST]}) is None


def test_less_cpu_is_better() -> None:
    figure = Comparison("cpu", "ours", "theirs", 0.25, 0.1, of="client_us").figure({"ours": [FAST], "theirs": [SLOW]})
    assert figure is not None
    assert figure.verdict == "aim reached"


@pytest.mark.parametrize(
    ("value", "smaller_is_better", "verdict"),
    [
        (11, False, "aim reached"),
        (10, False, "aim reached"),
        (9.9, False, "reached"),
        (5.9, False, "NOT REACHED"),
        (61, True, "NOT REACHED"),
    ],
)
def test_the_verdict_names_the_highest_target_that_is_reached(
    value: float, smaller_is_better: bool, verdict: str
) -> None:
    targets = (60, 40) if smaller_is_better else (6, 10)
    assert Figure("f", value, "", *targets, smaller_is_better=smaller_is_better).verdict == verdict


def test_growth_counts_from_when_the_process_had_settled() -> None:
    steps = [Step(1, 0, 10, 0), Step(100, 1, 40, 0), Step(200, 2, 43, 0), Step(300, 3, 41, 0)]
    assert growth(steps, settled=100) == 3
