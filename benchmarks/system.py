"""The whole system as its operator runs it: simulators and services, each a process of its own."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

from adapters.magento.simulator.config import INTEGRATION
from benchmarks.contender import ROOT, Contender, start
from tests.processes import Server, accepts, free_port, wait_until

CONFIGURATION = """
[broker]
url = "{broker}"

[database]
url = "{database}"

[magento]
url = "{magento}"
{magento_more}

[magento.auth]
type = "oauth1"
consumer_key = "{consumer_key}"
consumer_secret = "{consumer_secret}"
access_token = "{access_token}"
access_token_secret = "{access_token_secret}"

[router]
default_customer = "99999"

[ecc]
{ecc_more}

[ecc.connection]
type = "simulator"
url = "{ecc}"
passwd = "simulator"

[ecc.default]
sales_org = "1000"
distribution_channel = "10"
division = "00"
document_type = "TA"
time_zone = "Europe/Berlin"
reference_customer = "0000000001"
credit_limit = "1000.00"
credit_control_area = "1000"

[ecc.default.conditions]
price = {{ type = "ZPRF" }}
discount = {{ type = "RB00" }}
freight = {{ type = "HD00" }}
tax = {{ type = "ZTAX" }}
round_off = {{ type = "DIFF" }}
round_off_limit = "0.05"
"""


class Settings(Struct, frozen=True):
    """What a part sets in the configuration of the services."""

    broker: str
    database: str = ""
    magento: str = "http://127.0.0.1:1"
    """A service that does not speak to Magento needs no more than a URL."""
    ecc: str = "http://127.0.0.1:1"
    magento_more: Mapping[str, float] = field(default_factory=dict)
    """Further keys of ``[magento]``, e.g. ``quiet_period``."""
    ecc_more: Mapping[str, float] = field(default_factory=dict)

    def write(self, directory: Path) -> Path:
        """Write the configuration file into a directory and return its path."""
        path = directory / "orderbus.toml"
        path.write_text(
            CONFIGURATION.format(
                broker=self.broker,
                database=self.database or f"sqlite:///{directory / 'orderbus.db'}",
                magento=self.magento,
                ecc=self.ecc,
                consumer_key=INTEGRATION.consumer_key,
                consumer_secret=INTEGRATION.consumer_secret,
                access_token=INTEGRATION.access_token,
                access_token_secret=INTEGRATION.token_secret,
                magento_more=_lines(self.magento_more),
                ecc_more=_lines(self.ecc_more),
            )
        )
        return path


def _lines(values: Mapping[str, float]) -> str:
    return "\n".join(f"{key} = {value}" for key, value in values.items())


def orderbus(*words: str) -> tuple[str, ...]:
    """Return the command line of ``orderbus``, run with this interpreter."""
    return (sys.executable, "-m", "orderbus", *words)


def is_ready(port: int) -> bool:
    """Tell whether the process that serves its metrics on a port says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, or 503
        return False


class Service(Struct, frozen=True):
    """A running process of services."""

    server: Server
    port: int
    """Where it serves its metrics."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.server.pid

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples of exactly this name, over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return sum(one.value for family in families for one in family.samples if one.name == name)


@contextmanager
def running(names: Sequence[str], config: Path) -> Iterator[Service]:
    """Run services in one process, from ready to stopped.

    Raises
    ------
    RuntimeError
        When it ends by itself.
    """
    port = free_port()
    name = "+".join(names)
    server = _launched(name, orderbus("run", *names, "--config", str(config), "--http-port", str(port)), config)
    try:
        wait_until(lambda: is_ready(port) or not server.running, f"{name} is ready", every=0.005)
        if not server.running:
            raise RuntimeError(f"{name} did not start: {server.tail()}")
        yield Service(server, port)
    finally:
        server.terminate()


@contextmanager
def each_running(names: Sequence[str], config: Path) -> Iterator[dict[str, Service]]:
    """Run services, each in a process of its own, from ready to stopped."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(running([name], config)) for name in names}


@contextmanager
def simulated(which: str, directory: Path, *options: str) -> Iterator[str]:
    """Run one of the simulators, ``magento`` or ``ecc``, on a file in a directory; yields its URL."""
    port = free_port()
    words = ("simulate", which, "--port", str(port), "--database", str(directory / f"{which}.db"), *options)
    server = _launched(which, orderbus(*words), directory / which)
    try:
        wait_until(lambda: accepts(port) or not server.running, f"the simulator of {which} answers")
        if not server.running:
            raise RuntimeError(f"The simulator of {which} did not start: {server.tail()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()


def _launched(name: str, command: tuple[str, ...], beside: Path) -> Server:
    return start(Contender(name, command), beside.with_name(f"{name}.log"), {})


def migrate(config: Path) -> None:
    """Make the tables of the database."""
    subprocess.run(orderbus("database", "migrate", "--config", str(config)), cwd=ROOT, check=True, capture_output=True)
