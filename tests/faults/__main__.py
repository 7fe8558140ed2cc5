"""Runs the fault suite: ``python -m tests.faults --seed 7 --orders 2000 --faults 100``.

Starts RabbitMQ (three nodes with ``--nodes 3``), PostgreSQL, both simulators and every service, each its own process,
and ends with one table. The same seed repeats the same plan of faults. Exit status 1 when an invariant does not hold.
"""

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import msgspec

from tests.faults.bench import Bench
from tests.faults.report import details, table
from tests.faults.run import CATALOGUE, Outcome, Run, planned
from tests.postgres import PostgresCluster
from tests.rabbitmq import RabbitNode

RATE = 8.0
"""Orders per second."""


@contextmanager
def broker_nodes(count: int) -> Iterator[list[RabbitNode]]:
    """Run one broker node, or a cluster of several."""
    with ExitStack() as stack:
        nodes: list[RabbitNode] = []
        for _ in range(count):
            node = RabbitNode(peer=nodes[0]) if nodes else RabbitNode()
            stack.callback(node.close)
            node.start()
            if nodes:
                node.join(nodes[0])
            nodes.append(node)
        yield nodes


def main(arguments: Sequence[str]) -> int:
    """Run what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="Repeats a run; several make several runs.")
    parser.add_argument("--orders", type=int, default=400, help="Orders of each run.")
    parser.add_argument("--faults", type=int, default=40, help="Faults of each run.")
    parser.add_argument("--rate", type=float, default=RATE, help="Orders per second.")
    parser.add_argument("--kinds", nargs="+", choices=list(CATALOGUE), default=[], help="Only these kinds.")
    parser.add_argument(
        "--registration",
        choices=("automatic", "manual"),
        help="Who registers customers; by default people do, as manual, where the seed is divisible by three.",
    )
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="Broker nodes.")
    parser.add_argument("--replicas", action="store_true", help="Run the most endangered services twice.")
    parser.add_argument("--keep", type=Path, help="Directory for every process's output and state.")
    parser.add_argument("--plan", action="store_true", help="Print the plan and do nothing.")
    parser.add_argument("--markdown", type=Path, help="File to write the tables to.")
    parser.add_argument("--json", type=Path, help="File to write all that is known of the runs to.")
    chosen = parser.parse_args(arguments)
    if chosen.plan:
        for seed in chosen.seed:
            for fault in planned(seed, chosen.orders, chosen.faults, chosen.kinds, chosen.nodes):
                click.echo(f"{fault.number:4} after {fault.after:6} orders  {fault.kind}: {fault.name}")
        return 0
    outcomes = []
    for seed in chosen.seed:
        outcome = _run(seed, chosen)
        click.echo(f"{table([outcome])}\n{details(outcome)}")
        outcomes.append(outcome)
        # After each, so that what is known outlives a run that fails.
        if chosen.markdown:
            chosen.markdown.write_text(f"{table(outcomes)}\n")
        if chosen.json:
            chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes)))
    if len(outcomes) > 1:
        click.echo(table(outcomes))
    return int(any(outcome.violations for outcome in outcomes))


def _run(seed: int, chosen: argparse.Namespace) -> Outcome:
    with ExitStack() as stack:
        directory = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderbus-faults-")))
        directory = directory / f"seed-{seed}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        database = PostgresCluster()
        stack.callback(database.close)
        database.start()
        nodes = stack.enter_context(broker_nodes(chosen.nodes))
        registration = chosen.registration or ("manual" if seed % 3 == 0 else "automatic")
        bench = Bench(directory, nodes, database.new_database(), registration=registration, replicas=chosen.replicas)
        stack.callback(bench.close)
        bench.start()
        # Clocks that differ: the shop's is a minute behind, right, or a minute ahead of everybody else's, in each way
        # of registration.
        bench.shop_faults({"clock_offset": (-60.0, 0.0, 60.0)[(seed + seed // 3) % 3]})
        began = time.monotonic()

        def report(line: str) -> None:
            click.echo(f"{time.monotonic() - began:7.1f} {line}", err=True)

        run = Run(bench, seed, chosen.orders, report, chosen.rate)
        run.outcome.command = _command(seed, chosen)
        return run.go(planned(seed, chosen.orders, chosen.faults, chosen.kinds, chosen.nodes))


def _command(seed: int, chosen: argparse.Namespace) -> str:
    """Return what repeats one of the runs."""
    options = ["--orders", chosen.orders, "--faults", chosen.faults]
    if chosen.rate != RATE:
        options += ["--rate", chosen.rate]
    if chosen.kinds:
        options += ["--kinds", *chosen.kinds]
    if chosen.registration:
        options += ["--registration", chosen.registration]
    if chosen.nodes > 1:
        options += ["--nodes", chosen.nodes]
    if chosen.replicas:
        options.append("--replicas")
    return f'make faults SEED={seed} ARGS="{shlex.join(map(str, options))}"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
