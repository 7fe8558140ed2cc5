"""What several subcommands share: their options, and how they print."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="ORDERBUS_CONFIG",
    help="The configuration file.  [default: orderbus.toml]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: Any) -> None:
    """Print a value as indented JSON; decimals and times become strings."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell, whatever the terminal's width, so that a pipe gets all."""
    cells = [list(heading), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
