"""``orderbus skipped``: orders that the publisher read and did not publish."""

from pathlib import Path

import click

from adapters.magento.ledger import skipped_orders
from orderbus.commands.options import config_option, json_option, print_json, print_table
from orderbus.config import load
from state.database import open_database, require_current


@click.group()
def skipped() -> None:
    """Look at the orders that were read from the shop and not taken.

    Example: orderbus skipped list
    """


@skipped.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="Orders to list.")
def list_skipped(config_path: Path | None, as_json: bool, limit: int) -> None:
    """List the orders that are passed over as things stand and why, latest change first.

    Example: orderbus skipped list --json --limit 50
    """
    database = open_database(load(config_path, sections=("database",)).config.database.url)
    require_current(database)
    found = skipped_orders(database, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("ORDER", "INCREMENT ID", "STORE", "REASON", "UPDATED (UTC)", "DETAIL"),
        (
            (order.order_id, order.increment_id, order.store, order.reason, order.updated_at, order.detail)
            for order in found
        ),
    )
