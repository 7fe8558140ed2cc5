"""``orderbus database``: the tables of the bus's own database."""

from pathlib import Path

import click

from orderbus.commands.options import config_option, json_option, print_json
from orderbus.config import load
from state.database import open_database, revision, shown
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
    engine = open_database(load(config_path, sections=("database",)).config.database.url)
    ran = run_migrations(engine)
    if as_json:
        print_json({"ran": ran, "revision": revision(engine)})
    elif ran:
        click.echo(f"{shown(engine.url)}: ran {', '.join(ran)}.")
    else:
        click.echo(f"{shown(engine.url)}: nothing to do, it stands at {revision(engine)}.")


@database.command()
@config_option
@json_option
@click.pass_context
def status(context: click.Context, config_path: Path | None, as_json: bool) -> None:
    """Say which migrations the database has; exit status 1 if one is missing.

    Example: orderbus database status --json
    """
    engine = open_database(load(config_path, sections=("database",)).config.database.url)
    missing = pending(engine)
    if as_json:
        print_json({"revision": revision(engine), "pending": missing})
    else:
        lacks = f"lacks {', '.join(missing)}: run `orderbus database migrate`" if missing else "is up to date"
        click.echo(f"{shown(engine.url)} stands at {revision(engine) or 'no migration'} and {lacks}.")
    context.exit(1 if missing else 0)
