"""``orderbus reconcile``: do Magento and ECC agree, and can what differs be healed."""

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.ecc.connect import open_sessions
from adapters.magento.shop import Shop
from orderbus.commands.options import config_option, json_option
from orderbus.config import Config, ConfigError, load
from orderbus.reconciliation.publishing import publishing
from orderbus.reconciliation.repair import Repairs
from orderbus.reconciliation.report import Json, Lines, Report, telling
from orderbus.reconciliation.service import terms_of
from orderbus.reconciliation.sweep import Sweep, Window
from state.database import open_database, require_current

SECTIONS = ("magento", "ecc", "router", "database", "reconcile", "log")
"""What a sweep is told; `broker` only one that heals."""
TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"])


@click.command()
@click.option("--since", type=TIME, help="Orders and customers from then on, in UTC.  [default: reconcile.window ago]")
@click.option("--until", type=TIME, help="Orders and customers before then, in UTC.  [default: now]")
@click.option("--repair", is_flag=True, help="Publish the messages that heal what was found.")
@json_option
@config_option
@click.pass_context
def reconcile(
    context: click.Context, /, repair: bool, as_json: bool, config_path: Path | None, **span: datetime | None
) -> None:
    """Compare Magento's orders with ECC's sales orders and pending rows, and who learnt of ECC's new customers.

    Exit status: 0 nothing found, or all of it healed by the messages published; 1 findings remain.

    Example: orderbus reconcile --since 2026-01-01 --until 2026-02-01

    Example: orderbus reconcile --repair
    """
    config = load(config_path, sections=(*SECTIONS, *(("broker",) if repair else ()))).config
    if repair and config.broker.embedded:
        raise ConfigError(
            "broker.url names the broker inside the process, and a message published here would reach no service.",
            "Compare without --repair, and set reconcile.repair for the service; or name a RabbitMQ in broker.url.",
        )
    window = _window(config, **span)
    report: Report = Json() if as_json else Lines(repairing=repair)
    remaining = asyncio.run(_sweep(config, window, report, repair=repair))
    context.exit(1 if remaining else 0)


def _window(config: Config, *, since: datetime | None, until: datetime | None) -> Window:
    recent = Window.back(config.reconcile.window)
    end = until.replace(tzinfo=UTC) if until else recent.until
    start = since.replace(tzinfo=UTC) if since else min(recent.since, end - (recent.until - recent.since))
    if start >= end:
        raise click.UsageError("--since is not before --until.", click.get_current_context())
    return Window(start, end)


async def _sweep(config: Config, window: Window, report: Report, *, repair: bool) -> int:
    """Sweep, tell, heal where asked, and return how many findings remain."""
    counts: Counter[str] = Counter()
    remaining = 0
    async with AsyncExitStack() as closing:
        shop = Shop(config.magento)
        closing.push_async_callback(shop.close)
        database = await asyncio.to_thread(open_database, config.database.url)
        closing.callback(database.close)
        require_current(database)
        sessions = open_sessions(config.ecc)
        closing.push_async_callback(asyncio.to_thread, sessions.close)
        repairs = None
        if repair:
            publish = await closing.enter_async_context(publishing(config.broker))
            repairs = Repairs(shop, publish, datetime.now(UTC).isoformat())
        progress = closing.enter_context(_progress())
        task = progress.add_task("compared", total=None)
        report.begin(window)
        terms = terms_of(config.reconcile, config.ecc, config.router)
        async for page in Sweep(shop, sessions, config.ecc, database, terms).over(window):
            told = telling(page.findings)
            repaired = await repairs.make(told) if repairs is not None else {}
            counts.update(finding.kind for finding in page.findings)
            remaining += len(told) - len(repaired)
            report.found(told, repaired)
            progress.update(task, completed=page.compared, total=page.total)
    report.end(counts, remaining)
    return remaining


def _progress() -> Progress:
    """Return a bar on standard error, if that is a terminal; lines on the same terminal pass above it."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not console.is_terminal,
    )
