"""``orderbus asyncapi``: the contract with other systems."""

import click

from orderbus.commands.options import print_json
from orderbus.contract import asyncapi as document
from orderbus.contract import messages_markdown
from orderbus.services import TABLE


@click.command()
@click.option("--markdown", is_flag=True, help="Print the table of messages as Markdown instead.")
def asyncapi(markdown: bool) -> None:
    """Print the AsyncAPI 3.0 document of every channel, message and operation, generated from the code.

    Example: orderbus asyncapi > asyncapi.json
    """
    if markdown:
        click.echo(messages_markdown(TABLE), nl=False)
    else:
        print_json(document(TABLE))
