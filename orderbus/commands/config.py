"""``orderbus config``: what is configured, and what can be."""

from pathlib import Path

import click

from orderbus.commands.options import config_option, json_option, print_json

EXAMPLE = Path(__file__).parents[1] / "example.toml"
"""Every key with its meaning and its default."""


@click.group()
def config() -> None:
    """Show the configuration, or an example of one.

    Example: orderbus config example > orderbus.toml
    """


@config.command()
@config_option
@json_option
def show(config_path: Path | None, as_json: bool) -> None:
    """Print the configuration in force, defaults included, secrets masked.

    Example: orderbus config show --config orderbus.toml
    """
    from orderbus.config import load  # noqa: PLC0415 - `config example` must work where a section does not import
    from orderbus.masking import masked, shown  # noqa: PLC0415

    loaded = load(config_path)
    if as_json:
        print_json(masked(loaded))
    else:
        click.echo("\n".join(shown(loaded)))


@config.command()
def example() -> None:
    """Print a documented configuration file to start from.

    Example: orderbus config example > orderbus.toml
    """
    click.echo(EXAMPLE.read_text("utf-8"), nl=False)
