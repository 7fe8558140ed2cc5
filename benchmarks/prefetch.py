"""Part ``prefetch``: at which prefetch each contender of ``route`` is quickest."""

import statistics

import msgspec
from rich.console import Console

from benchmarks.contender import Contender
from benchmarks.report import Figure, Part, rate_rows
from benchmarks.route import OURS, PREFETCH, contenders, routing

TRIED = (10, 20, 50, 100, 200, 500, 1000)
METHOD = (
    "The race of part route, each contender with each prefetch, interleaved in rounds; the quickest by the median is "
    "the one that part route should use (`benchmarks.route.PREFETCH`). Fewer messages than several times the largest "
    "prefetch say nothing: they are all on their way before the clock runs."
)


def candidates(only: tuple[str, ...]) -> list[Contender]:
    """Return every contender with every prefetch."""
    return [
        msgspec.structs.replace(one, name=f"{one.name}, prefetch {ahead}")
        for ahead in TRIED
        for one in contenders(dict.fromkeys(PREFETCH, ahead))
        if one.name != OURS and (not only or any(word in one.name for word in only))
    ]


def run(rounds: int, messages: int, console: Console, only: tuple[str, ...] = ()) -> Part:
    """Measure the part."""
    with routing() as race_of:
        samples = race_of.run(candidates(only), rounds, messages, console)
    best: dict[str, tuple[float, str]] = {}
    for name, taken in samples.items():
        contender, _, ahead = name.rpartition(", prefetch ")
        rate = statistics.median(one.per_second for one in taken)
        best[contender] = max(best.get(contender, (0.0, "")), (rate, ahead))
    part = Part("prefetch", METHOD, ("contender", "quickest prefetch", "messages/s", "route uses"))
    part.rows = [(name, ahead, round(rate), PREFETCH[name]) for name, (rate, ahead) in best.items()]
    part.samples = samples
    part.figures = [Figure(f"{row[0]}, messages/s", float(row[1]), "/s") for row in rate_rows(samples)]
    return part
