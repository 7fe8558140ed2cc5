"""``orderbus dead``: messages that were given up."""

from pathlib import Path

import click

from bus import dead as letters
from bus.config import BrokerConfig
from bus.dead import DeadLetter
from orderbus.commands.options import config_option, json_option, print_json, print_table
from orderbus.config import load
from orderbus.services import TABLE

service_option = click.option("--service", help="Only what this service gave up, e.g. ecc-orders.")


@click.group()
def dead() -> None:
    """List, show or send again the messages that were given up (dead letters). Needs a RabbitMQ.

    Example: orderbus dead list
    """


@dead.command("list")
@config_option
@json_option
@service_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="Messages to list.")
def list_letters(config_path: Path | None, as_json: bool, service: str | None, limit: int) -> None:
    """List dead letters with their cause, the oldest of each service first.

    Example: orderbus dead list --service ecc-orders
    """
    found = letters.list_dead(_broker(config_path), TABLE, service=service, limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("ID", "SERVICE", "TYPE", "SUBJECT", "REASON", "ATTEMPTS", "LAST FAILED (UTC)", "CAUSE"),
        (
            (
                letter.id,
                letter.service,
                letter.type,
                letter.subject,
                letter.reason,
                str(letter.attempts),
                f"{letter.last_failed_at:%Y-%m-%d %H:%M:%S}" if letter.last_failed_at else "",
                letter.message,
            )
            for letter in found
        ),
    )


@dead.command()
@config_option
@json_option
@service_option
@click.argument("identifier", metavar="ID")
def show(config_path: Path | None, as_json: bool, service: str | None, identifier: str) -> None:
    """Show one dead letter with cause, remedy, headers and body; the body may hold personal data.

    Example: orderbus dead show 0190f2a4
    """
    found = letters.show(_broker(config_path), TABLE, identifier, service=service)
    if as_json:
        print_json(found)
        return
    for contents in found:
        letter = contents.letter
        for name in letter.__struct_fields__:
            if (value := getattr(letter, name)) not in ("", None):
                click.echo(f"{name.replace('_', ' ')}: {value}")
        click.echo("headers:")
        for header, text in contents.headers.items():
            click.echo(f"  {header}: {text}")
        click.echo(f"body:\n{contents.body}\n")


@dead.command()
@config_option
@json_option
@service_option
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="Send again all that are there now.")
def retry(
    config_path: Path | None, as_json: bool, service: str | None, identifiers: tuple[str, ...], every: bool
) -> None:
    """Send dead letters again, each to the queue where it failed, with its id and history.

    Example: orderbus dead retry --all --service ecc-orders
    """
    if bool(identifiers) == every:
        raise click.UsageError("Name the ids to send again, or --all.", click.get_current_context())

    def report(letter: DeadLetter) -> None:
        if not as_json:
            click.echo(f"{letter.id} sent again to {letter.service}")

    sent = letters.retry(_broker(config_path), TABLE, None if every else identifiers, service=service, each=report)
    if as_json:
        print_json(sent)


def _broker(config_path: Path | None) -> BrokerConfig:
    return load(config_path, sections=("broker",)).config.broker
