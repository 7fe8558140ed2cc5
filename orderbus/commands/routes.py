"""``orderbus routes``: the routing rules as a table."""

import click
from msgspec import Struct

from orderbus.commands.options import json_option, print_json, print_table
from orderbus.services import TABLE
from router.rules import RULES
from schemas.topics import TOPIC_OF


class Route(Struct, frozen=True):
    """A rule as it is shown."""

    on: str
    when: str
    then: str | None
    """Routing key of the command; ``None`` where the message is refused."""
    to: tuple[str, ...]
    """Services that take the command."""


@click.command()
@json_option
def routes(as_json: bool) -> None:
    """Print the routing rules: which message leads to which command. The first rule that holds decides.

    Example: orderbus routes
    """
    takers = {body: [row.name for row in TABLE if body in row.consumes] for body in TOPIC_OF}
    rules = [
        Route(
            TOPIC_OF[rule.on].routing_key,
            rule.when,
            TOPIC_OF[rule.then].routing_key if rule.then else None,
            tuple(takers[rule.then]) if rule.then else (),
        )
        for rule in RULES
    ]
    if as_json:
        print_json(rules)
        return
    print_table(
        ("ON", "WHEN", "THEN", "TO"),
        ((rule.on, rule.when, rule.then or "dead letter", ", ".join(rule.to)) for rule in rules),
    )
