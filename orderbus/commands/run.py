"""``orderbus run``: services at work."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from bus.runner import correlation
from orderbus import logs
from orderbus.commands.options import config_option
from orderbus.config import Http, load
from orderbus.masking import secrets_of
from orderbus.process import serve
from orderbus.services import RECONCILE, ROW_NAMED

COMMON = frozenset({"broker", "database", "http", "log", "router"})
"""Sections that every service is told; `magento` and `ecc` only those whose name begins so, and `reconcile` both."""


@click.command()
@click.argument("services", nargs=-1, metavar="SERVICE...")
@click.option("--all", "every", is_flag=True, help="Run every service in this process.")
@config_option
@click.option("--http-host", envvar="ORDERBUS_HTTP_HOST", help="Stands above http.host.")
@click.option(
    "--http-port",
    type=click.IntRange(0, 65535),
    envvar="ORDERBUS_HTTP_PORT",
    help="Stands above http.port: where /metrics, /healthz and /readyz are served; 0 turns them off.",
)
def run(
    services: tuple[str, ...], every: bool, config_path: Path | None, http_host: str | None, http_port: int | None
) -> None:
    """Run one or more services until SIGTERM or SIGINT, then finish what is in hand; a second signal ends at once.

    Example: orderbus run ecc-orders

    Example: orderbus run router contacts --http-port 9102

    Exit status: 0 stopped as told; 1 starting again does not help (refused user, missing migration); 2 wrong command
    line, configuration or port; 75 broker or database away, start again after a while.
    """
    names = tuple(ROW_NAMED) if every else tuple(dict.fromkeys(services))
    _check(names, given=services, every=every)
    loaded = load(config_path, sections=sections_of(names))
    config = loaded.config
    http = Http(
        host=config.http.host if http_host is None else http_host,
        port=config.http.port if http_port is None else http_port,
    )
    logs.set_up(config.log.level, secrets_of(loaded), correlation=correlation)
    asyncio.run(serve(names, msgspec.structs.replace(config, http=http)))


def sections_of(names: Iterable[str]) -> frozenset[str]:
    """Return the sections of the configuration that some services use, and whose secrets they must be told."""
    sections = COMMON | {name.partition("-")[0] for name in names}
    return sections | {"magento", "ecc"} if RECONCILE.name in sections else sections


def _check(names: tuple[str, ...], *, given: tuple[str, ...], every: bool) -> None:
    context = click.get_current_context()
    if bool(given) == every:
        raise click.UsageError("Name the services to run, or --all.", context)
    unknown = [name for name in names if name not in ROW_NAMED]
    if unknown:
        raise click.UsageError(f"There is no service {unknown[0]}. Known are {', '.join(ROW_NAMED)}.", context)
