"""``orderbus schemas``: the JSON Schema of every message."""

from pathlib import Path

import click

from schemas import jsonschema

directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=jsonschema.DIRECTORY,
    help="Where the documents are.  [default: schemas/json in the package]",
)


@click.group()
def schemas() -> None:
    """Write or check the JSON Schema of every message.

    Example: orderbus schemas check
    """


@schemas.command()
@directory_option
def write(directory: Path) -> None:
    """Write the documents that are not as the code says.

    Example: orderbus schemas write --directory /tmp/schemas
    """
    for path in jsonschema.write(directory):
        click.echo(path)


@schemas.command()
@directory_option
@click.pass_context
def check(context: click.Context, directory: Path) -> None:
    """Name the documents that are not as the code says; exit status 1 if there are any.

    Example: orderbus schemas check
    """
    stale = jsonschema.differences(directory)
    for path in stale:
        click.echo(f"{path} is not as the code says: run `orderbus schemas write`")
    context.exit(1 if stale else 0)
