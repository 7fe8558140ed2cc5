"""``orderbus database``: the tables of the bus's own database."""

from pathlib import Path

import click

from orderbus.commands.options import config_option, json_option, print_json
from orderbus.config import load
from state.database import open_database, revision
from state.migrations import migrate as run_migrations
from state.migrations import pending


@click.group()
def database() -> None:
    """Make and check the tables of the bus's own database.

    Example: orderbus database migrate
    """


@database.command()
@config_option
@json_option
def migrate(config_path: Path | None, as_json: bool) -> None:
    """Bring the database up to what this version needs; safe to run at any time, and several times at once.

    Example: orderbus database migrate --config orderbus.toml
    """
    opened = open_database(load(config_path, sections=("database",)).config.database.url)
    ran = run_migrations(opened)
    if as_json:
        print_json({"ran": ran, "revision": revision(opened)})
    elif ran:
        click.echo(f"{opened.shown}: ran {', '.join(ran)}.")
    else:
        click.echo(f"{opened.shown}: nothing to do, it stands at {revision(opened)}.")


@database.command()
@config_option
@json_option
@click.pass_context
def status(context: click.Context, config_path: Path | None, as_json: bool) -> None:
    """Say which migrations the database has; exit status 1 if one is missing.

    Example: orderbus database status --json
    """
    opened = open_database(load(config_path, sections=("database",)).config.database.url)
    missing = pending(opened)
    if as_json:
        print_json({"revision": revision(opened), "pending": missing})
    else:
        lacks = f"lacks {', '.join(missing)}: run `orderbus database migrate`" if missing else "is up to date"
        click.echo(f"{opened.shown} stands at {revision(opened) or 'no migration'} and {lacks}.")
    context.exit(1 if missing else 0)
