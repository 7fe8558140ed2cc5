"""``orderbus config``: what is configured, and what can be."""

from pathlib import Path

import click

from orderbus.commands.options import config_option, json_option, print_json
from orderbus.reference import EXAMPLE, configuration_markdown


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
@click.option("--markdown", is_flag=True, help="Print every setting as tables in Markdown instead.")
def example(markdown: bool) -> None:
    """Print a documented configuration file to start from.

    Example: orderbus config example > orderbus.toml
    """
    click.echo(configuration_markdown() if markdown else EXAMPLE.read_text("utf-8"), nl=False)
