"""Several rounds of all contenders, one after the other within each round, so that a slow minute hits them all."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from benchmarks.broker import Bench
from benchmarks.contender import Contender, Sample, measure, start

Samples = dict[str, list[Sample]]
"""Of each contender's name, its samples in the order of the rounds."""


class Race(Struct, frozen=True):
    """What every contender of a part works on."""

    bench: Bench
    target: str
    """The queue in which a contender's finished messages arrive."""
    words: dict[str, str]
    """What the contenders' command lines may name."""
    prepare: Callable[[int], None]
    """Called with the number of messages before a contender starts."""
    check: Callable[[Contender, int], None] = lambda _contender, _total: None
    """Called with the contender and its number of messages before it is stopped; raises if it did not do its work."""

    def run(self, contenders: Sequence[Contender], rounds: int, messages: int, console: Console) -> Samples:
        """Measure every contender once per round; each round begins with another one.

        Parameters
        ----------
        contenders:
            Who competes.
        rounds, messages:
            How often, and with how many messages (a contender's own share of them).
        console:
            Where progress is shown.

        Returns
        -------
        dict
            The samples of each contender's name.
        """
        samples: Samples = {contender.name: [] for contender in contenders}
        with tempfile.TemporaryDirectory(prefix="orderbus-bench-") as directory:
            for number in range(rounds):
                shift = number % len(contenders)
                for contender in (*contenders[shift:], *contenders[:shift]):
                    sample = self._measure(contender, max(100, round(messages * contender.share)), Path(directory))
                    samples[contender.name].append(sample)
                    console.print(
                        f"round {number + 1}/{rounds}  {contender.name:<44} {sample.per_second:>8.0f}/s  "
                        f"{sample.client_us:>6.1f} µs client  {sample.broker_us:>6.1f} µs broker"
                    )
        return samples

    def _measure(self, contender: Contender, total: int, directory: Path) -> Sample:
        self.prepare(total)
        servers = [start(contender, directory / "output.log", self.words) for _ in range(contender.copies)]
        try:
            sample = measure(servers, lambda: self.bench.depth(self.target), total, self.bench.pid)
            self.check(contender, total)
        finally:
            for server in servers:
                server.terminate()
        return sample
