"""``orderbus topology``: the exchanges, queues and bindings on the broker."""

from pathlib import Path

import click

from bus import topology as broker
from bus.config import BrokerConfig
from orderbus.commands.options import config_option, json_option, print_json, print_table
from orderbus.config import ConfigError, load
from orderbus.services import TABLE


@click.group()
def topology() -> None:
    """Declare, check or show the exchanges, queues and bindings on the broker.

    Example: orderbus topology apply
    """


@topology.command()
@config_option
@json_option
def apply(config_path: Path | None, as_json: bool) -> None:
    """Declare everything that all services need; what is there already is left alone.

    Needs a user that may configure the broker; the services then need not.

    Example: orderbus topology apply --config orderbus.toml
    """
    declared = broker.apply(_external(config_path), TABLE)
    if as_json:
        print_json(declared)
    else:
        click.echo("\n".join(declared))


@topology.command()
@config_option
@json_option
@click.pass_context
def check(context: click.Context, config_path: Path | None, as_json: bool) -> None:
    """Name the exchanges and queues that the broker lacks; exit status 1 if there are any.

    Example: orderbus topology check
    """
    missing = broker.check(_external(config_path), TABLE)
    if as_json:
        print_json({"missing": missing})
    elif missing:
        click.echo("\n".join(f"{name} is missing" for name in missing))
        click.echo(broker.APPLY)
    else:
        click.echo("Every exchange and queue is there.")
    context.exit(1 if missing else 0)


@topology.command()
@config_option
@json_option
def show(config_path: Path | None, as_json: bool) -> None:
    """Print what `apply` would declare, without a broker.

    Example: orderbus topology show
    """
    whole = broker.topology(TABLE, load(config_path, sections=()).config.broker)
    if as_json:
        print_json(whole)
        return
    print_table(("EXCHANGE", "KIND"), ((exchange.name, exchange.kind) for exchange in whole.exchanges))
    click.echo()
    print_table(
        ("QUEUE", "ARGUMENTS"),
        (
            (queue.name, " ".join(f"{name}={value}" for name, value in sorted(queue.arguments.items())))
            for queue in whole.queues
        ),
    )
    click.echo()
    print_table(
        ("BINDING FROM", "TO", "KEY"), ((binding.exchange, binding.queue, binding.key) for binding in whole.bindings)
    )


def _external(config_path: Path | None) -> BrokerConfig:
    config = load(config_path, sections=("broker",)).config.broker
    if config.embedded:
        raise ConfigError(
            "broker.url names the broker inside the process, which has nothing to declare.",
            "Name a RabbitMQ in broker.url or ORDERBUS_BROKER_URL.",
        )
    return config
