"""``orderbus demo``: the whole round trip on one's own machine."""

from pathlib import Path

import click

from orderbus.demo.run import run_demo


@click.command()
@click.option("--orders", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Orders to place.")
@click.option("--broker", metavar="URL", help="Run on this RabbitMQ in place of the broker inside the process.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option(
    "--state",
    "state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".orderbus/demo"),
    show_default=True,
    help="Directory of both simulators' and the bus's state.",
)
def demo(orders: int, broker: str | None, as_json: bool, state: Path) -> int:
    """Place orders in a simulated shop and watch them become sales orders in a simulated ECC.

    Exit status 0 only when every order reached its end and ECC's count agrees.

    Example: orderbus demo --orders 20
    """
    return run_demo(orders, broker, as_json=as_json, state=state)
