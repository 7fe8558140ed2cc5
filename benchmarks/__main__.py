"""Command line of the benchmarks: some parts by name, or all that compare, or all that take long."""

from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.console import Console

from benchmarks import (
    backlog,
    first_load,
    flow,
    footprint,
    latency,
    prefetch,
    publish,
    release,
    report,
    route,
    scale,
)
from benchmarks.meter import Machine, Versions, machine, versions
from benchmarks.report import Part, show

CONSOLE = Console(width=140)
Measure = Callable[[], Part]

COMPARISONS: tuple[Measure, ...] = (
    lambda: route.run(5, 15_000, CONSOLE),
    lambda: publish.run(3, 15_000, CONSOLE),
    lambda: latency.run(500, 200, CONSOLE),
    lambda: footprint.run(2, CONSOLE),
    lambda: flow.run(1000, 600, CONSOLE),
)
"""What ``make bench`` measures, within ten minutes."""
LONG: tuple[Measure, ...] = (
    lambda: scale.run(3, 15, 100_000, CONSOLE),
    lambda: release.run(10_000, CONSOLE),
    lambda: flow.run(5000, 2000, CONSOLE),
    lambda: first_load.run(100_000, 300, CONSOLE),
    lambda: backlog.run(1_000_000, CONSOLE),
)
"""What ``make bench-long`` measures."""


class Result(msgspec.Struct):
    """What is written as JSON."""

    machine: Machine
    versions: Versions
    parts: list[Part]


@click.group(chain=True, invoke_without_command=True)
@click.option(
    "--long", "is_long", is_flag=True, help="Without a part: scale, release, the long flow, first load, backlog."
)
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write the result there as well.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables there as well.")
@click.pass_context
def main(context: click.Context, is_long: bool, json: Path | None, markdown: Path | None) -> None:  # noqa: ARG001 - see `finish`
    """Measure what the bus costs, side by side with others.

    Example: python -m benchmarks --json result.json

    Example: python -m benchmarks route --rounds 3 --only aio-pika latency
    """
    context.obj = machine()


@main.result_callback()
@click.pass_obj
def finish(here: Machine, parts: list[Measure], is_long: bool, json: Path | None, markdown: Path | None) -> None:
    """Measure the named parts, or all of a kind; print each, and write them where asked."""
    result = Result(here, versions(), [])
    CONSOLE.print(f"{here.cpu}, {here.cores} cores, {here.memory_gb} GB; load before the run {here.load_before}")
    CONSOLE.print(", ".join(f"{name} {version}" for name, version in result.versions.items()))
    for measure in parts or (LONG if is_long else COMPARISONS):
        result.parts.append(measure())
        show(result.parts[-1], CONSOLE)
        # After each part, so that a failure costs that part alone.
        if json is not None:
            json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
        if markdown is not None:
            markdown.write_text("\n\n".join(map(report.markdown, result.parts)) + "\n")


def count(name: str, default: int, least: int = 1) -> Callable[[Callable[..., Measure]], Callable[..., Measure]]:
    """Return an option that takes a number."""
    return click.option(f"--{name}", default=default, show_default=True, type=click.IntRange(least))


only = click.option("--only", multiple=True, help="Contenders whose name has this in it.")


@main.command("route")
@count("rounds", 5)
@count("messages", 15_000, 1000)
@only
def _route(rounds: int, messages: int, only: tuple[str, ...]) -> Measure:
    """Consume, decode, apply the rules, publish confirmed, acknowledge."""
    return lambda: route.run(rounds, messages, CONSOLE, only)


@main.command("prefetch")
@count("rounds", 2)
@count("messages", 20_000, 1000)
@only
def _prefetch(rounds: int, messages: int, only: tuple[str, ...]) -> Measure:
    """Find the prefetch at which each contender of `route` is quickest."""
    return lambda: prefetch.run(rounds, messages, CONSOLE, only)


@main.command("publish")
@count("rounds", 5)
@count("messages", 15_000, 1000)
@only
def _publish(rounds: int, messages: int, only: tuple[str, ...]) -> Measure:
    """Publish confirmed: one by one and many in flight, from asyncio and from blocking threads."""
    return lambda: publish.run(rounds, messages, CONSOLE, only)


@main.command("latency")
@count("messages", 500, 10)
@count("orders", 200, 10)
def _latency(messages: int, orders: int) -> Measure:
    """Time an order that is alone: to the command, and from the shop to acknowledged."""
    return lambda: latency.run(messages, orders, CONSOLE)


@main.command("footprint")
@count("rounds", 3)
def _footprint(rounds: int) -> Measure:
    """Start-up time and idle memory of each service."""
    return lambda: footprint.run(rounds, CONSOLE)


@main.command("flow")
@count("orders", 1000, 40)
@count("steady", 600, 10)
def _flow(orders: int, steady: int) -> Measure:
    """Time orders from the shop to acknowledged against what the two systems allow."""
    return lambda: flow.run(orders, steady, CONSOLE)


@main.command("scale")
@count("rounds", 3)
@count("seconds", 15)
@count("messages", 100_000, 1000)
def _scale(rounds: int, seconds: int, messages: int) -> Measure:
    """Measure what more replicas of ecc-orders and of the router bring."""
    return lambda: scale.run(rounds, seconds, messages, CONSOLE)


@main.command("release")
@count("rows", 10_000, 8)
def _release(rows: int) -> Measure:
    """Release the waiting orders of one customer."""
    return lambda: release.run(rows, CONSOLE)


@main.command("first-load")
@count("orders", 100_000, 100)
@count("page-size", 300)
def _first_load(orders: int, page_size: int) -> Measure:
    """Read a shop's historic orders for the first time."""
    return lambda: first_load.run(orders, page_size, CONSOLE)


@main.command("backlog")
@count("messages", 1_000_000, 20_000)
def _backlog(messages: int) -> Measure:
    """Route a long backlog, and watch the router's memory."""
    return lambda: backlog.run(messages, CONSOLE)


if __name__ == "__main__":
    main()
