"""``orderbus simulate``: a shop or an ERP to try things with."""

import asyncio
import signal
import sqlite3
from typing import Any, Protocol

import click

from adapters.ecc.simulator.config import SimulatorConfig as EccConfig
from adapters.ecc.simulator.server import Simulator as Ecc
from adapters.magento.simulator.config import SimulatorConfig as MagentoConfig
from adapters.magento.simulator.faults import Faults
from adapters.magento.simulator.server import Simulator as Magento
from orderbus.health import refused_address
from schemas.failures import Permanent

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
database_option = click.option(
    "--database", default=":memory:", show_default=True, help="SQLite file that keeps its state."
)
latency_option = click.option(
    "--latency", type=click.FloatRange(0, 3600), default=0.0, show_default=True, help="Seconds that each call takes."
)
error_rate_option = click.option(
    "--error-rate", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of calls that fail."
)
seed_option = click.option("--seed", type=int, default=1, show_default=True, help="Makes the errors repeatable.")


class Simulator(Protocol):
    """What both simulators can do."""

    async def start(self) -> object:
        """Start in the running event loop."""

    async def stop(self) -> None:
        """Stop."""


@click.group()
def simulate() -> None:
    """Simulate a Magento shop or an SAP ECC system. Their state is shown as JSON under /_simulator/.

    Example: orderbus simulate magento --port 8081
    """


@simulate.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port; 0 takes a free one.")
@host_option
@database_option
@latency_option
@click.option(
    "--workers",
    type=click.IntRange(0, 10_000),
    default=0,
    help="Requests served at once; 0: no bound.",
    show_default=True,
)
@error_rate_option
@seed_option
@click.option("--registered", type=click.IntRange(0), default=10, show_default=True, help="Accounts known to ECC.")
@click.option("--prospects", type=click.IntRange(0), default=10, show_default=True, help="Accounts waiting for that.")
def magento(host: str, port: int, registered: int, prospects: int, **faults: Any) -> None:
    """Simulate Magento Open Source 2.4.7 with its REST API.

    Example: orderbus simulate magento --port 8081 --latency 0.2 --workers 8 --database shop.db
    """
    database = faults.pop("database")
    config = MagentoConfig(
        host=host,
        port=port,
        database=database,
        registered_customers=registered,
        prospects=prospects,
        faults=Faults(**faults),
    )
    _run(Magento(config), host, port, database)


@simulate.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port; 0 takes a free one.")
@host_option
@database_option
@latency_option
@click.option("--workers", type=click.IntRange(1, 1000), default=10, show_default=True, help="Dialog processes.")
@error_rate_option
@seed_option
@click.option(
    "--password",
    envvar="ORDERBUS_ECC_PASSWORD",
    default="simulator",
    help="Of its user ORDERBUS.  [default: simulator]",
)
def ecc(host: str, port: int, password: str, **settings: Any) -> None:
    """Simulate SAP ECC 6.0 with RFC sessions, locks, sales orders and customers.

    Example: orderbus simulate ecc --port 8090 --latency 0.2 --workers 4 --database ecc.db
    """
    _run(Ecc(EccConfig(passwd=password, **settings), host, port), host, port, settings["database"])


def _run(simulator: Simulator, host: str, port: int, database: str) -> None:
    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            click.echo(f"Listening on {await simulator.start()}")
        except OSError as error:
            raise refused_address(host, port, error) from None
        except sqlite3.Error as error:
            raise Permanent(
                f"The database file {database} cannot be used ({error}).",
                "Name a SQLite file in a directory that exists and that this user may write.",
            ) from None
        try:
            await stop.wait()
        finally:
            await simulator.stop()

    asyncio.run(until_told())
