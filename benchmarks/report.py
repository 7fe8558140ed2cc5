"""What a benchmark prints, and writes as JSON: samples of interleaved rounds, medians, and ratios to targets."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field
from rich.console import Console
from rich.table import Table

from benchmarks.contender import Sample


class Figure(Struct, frozen=True):
    """One number that has a target."""

    name: str
    value: float
    unit: str = "x"
    at_least: float | None = None
    aim: float | None = None
    smaller_is_better: bool = False
    rounds: tuple[float, ...] = ()
    """The value of each round; `value` is their median."""

    @property
    def verdict(self) -> str:
        """Whether the figure reaches its aim, its minimum, or neither."""
        for target, word in ((self.aim, "aim reached"), (self.at_least, "reached")):
            if target is not None and (self.value <= target if self.smaller_is_better else self.value >= target):
                return word
        return "" if self.at_least is None else "NOT REACHED"


class Part(Struct):
    """The result of one part."""

    name: str
    method: str
    """How it was measured and what limits it, in a sentence or two."""
    columns: tuple[str, ...] = ()
    rows: list[tuple[str | float, ...]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Of each contender, its samples in the order of the rounds."""


class Comparison(Struct, frozen=True):
    """Ours against theirs: the median over the rounds of our value divided by theirs of the same round."""

    name: str
    ours: str
    theirs: str
    at_least: float | None = None
    aim: float | None = None
    of: Literal["per_second", "client_us", "broker_us"] = "per_second"

    def figure(self, samples: Mapping[str, Sequence[Sample]]) -> Figure | None:
        """Return the figure, or ``None`` when one of the two did not take part."""
        if not (self.ours in samples and self.theirs in samples):
            return None
        pairs = zip(samples[self.ours], samples[self.theirs], strict=True)
        rounds = tuple(getattr(our, self.of) / (getattr(their, self.of) or math.nan) for our, their in pairs)
        return Figure(
            self.name,
            statistics.median(rounds),
            at_least=self.at_least,
            aim=self.aim,
            smaller_is_better=self.of != "per_second",
            rounds=rounds,
        )


def race(name: str, method: str, samples: dict[str, list[Sample]], comparisons: Sequence[Comparison]) -> Part:
    """Return the part that a race between contenders makes."""
    figures = [figure for comparison in comparisons if (figure := comparison.figure(samples))]
    return Part(name, method, RATE_COLUMNS, rate_rows(samples), figures, samples)


RATE_COLUMNS = ("", "messages/s", "lowest", "highest", "client µs/message", "broker µs/message", "peak MB")


def rate_rows(samples: Mapping[str, Sequence[Sample]]) -> list[tuple[str | float, ...]]:
    """Return a row of medians per contender, for `RATE_COLUMNS`."""
    return [
        (
            name,
            round(statistics.median(one.per_second for one in taken)),
            round(min(one.per_second for one in taken)),
            round(max(one.per_second for one in taken)),
            round(statistics.median(one.client_us for one in taken), 1),
            round(statistics.median(one.broker_us for one in taken), 1),
            round(statistics.median(one.peak_mb for one in taken)),
        )
        for name, taken in samples.items()
    ]


TARGET_COLUMNS = ("figure", "measured", "lowest", "highest", "at least", "aim", "")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.10g}"


def _targets(part: Part) -> list[tuple[str, ...]]:
    """Return a row per figure: name, measured, lowest and highest round, at least, aim, verdict."""
    rows = []
    for figure in part.figures:
        bound = "<" if figure.smaller_is_better else ""
        rows.append(
            (
                figure.name,
                f"{figure.value:.3g} {figure.unit}".rstrip(),
                *(f"{pick(figure.rounds):.3g}" if figure.rounds else "" for pick in (min, max)),
                *("" if goal is None else f"{bound}{goal:g}" for goal in (figure.at_least, figure.aim)),
                figure.verdict,
            )
        )
    return rows


def show(part: Part, console: Console) -> None:
    """Print a part."""
    table = Table(title=part.name, title_justify="left", caption=part.method, caption_justify="left")
    for number, column in enumerate(part.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in part.rows:
        table.add_row(*map(_text, row))
    console.print(table)
    if not part.figures:
        return
    targets = Table(title=f"{part.name}: targets", title_justify="left")
    for number, column in enumerate(TARGET_COLUMNS):
        targets.add_column(column, justify="right" if 0 < number < 6 else "left")
    for cells in _targets(part):
        targets.add_row(*cells)
    console.print(targets)


def markdown(part: Part) -> str:
    """Return a part's two tables as Markdown, for docs/performance.md.

    >>> print(markdown(Part("a", "", ("what", "MB"), [("router", 34.5)], [Figure("idle", 34.5, "MB", 60, 40, True)])))
    ### a
    <BLANKLINE>
    | what | MB |
    | --- | ---: |
    | router | 34.5 |
    <BLANKLINE>
    | figure | measured | lowest | highest | at least | aim |  |
    | --- | ---: | ---: | ---: | ---: | ---: | --- |
    | idle | 34.5 MB |  |  | <60 | <40 | aim reached |
    """
    tables = [f"### {part.name}"]
    if part.rows:
        right = ("---:",) * (len(part.columns) - 1)
        tables.append("\n".join(map(_line, (part.columns, ("---", *right), *(map(_text, row) for row in part.rows)))))
    if part.figures:
        rule = ("---", *("---:",) * 5, "---")
        tables.append("\n".join(map(_line, (TARGET_COLUMNS, rule, *_targets(part)))))
    return "\n\n".join(tables)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
