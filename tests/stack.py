"""The whole system as a test runs it: both simulators and every service, each a process of its own."""

import json
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from orderbus.services import TABLE
from tests.processes import Server, free_port, wait_until

SERVICES = tuple(row.name for row in TABLE)
ADMIN_TOKEN = "orderbusaccesstoken0000000000001"
DEFAULT_CUSTOMER = "0000099999"

CONFIGURATION = """
[broker]
url = "{broker_url}"
retry_delays = [1, 2, 5, 10]
max_attempts = 30
breaker_delays = [0.2, 0.5, 1.0]
check_interval = 1.0
{broker}

[database]
url = "{database_url}"

[http]
port = 0

[router]
default_customer = "0000099999"
{router}

[magento]
url = "http://127.0.0.1:{shop_port}"
auth = {{ type = "bearer", token = "{admin_token}" }}
poll_interval = 0.2
overlap_seconds = 5
quiet_period = 0
request_timeout = 10
{magento}

[ecc]
connection = {{ type = "simulator", url = "http://127.0.0.1:{ecc_port}", passwd = "simulator" }}
poll_seconds = 0.5
overlap_seconds = 5
call_timeout = 10
{ecc}

[ecc.default]
sales_org = "1000"
distribution_channel = "10"
division = "00"
document_type = "TA"
reference_customer = "0000000001"
credit_limit = "5000.00"
credit_control_area = "1000"

[ecc.default.conditions]
price = {{ type = "ZPRF" }}
discount = {{ type = "RB00" }}
freight = {{ type = "HD00" }}
tax = {{ type = "ZTAX" }}
"""


class Stack:
    """Both simulators and the services, each as `orderbus` starts it.

    Parameters
    ----------
    directory:
        Takes the configuration, the simulators' state and every process's output.
    broker_url, database_url:
        The broker's virtual host and the database, both empty.
    settings:
        Further lines for the sections ``broker``, ``router``, ``magento`` and ``ecc`` of the configuration.
    """

    def __init__(
        self,
        directory: Path,
        broker_url: str,
        database_url: str,
        *,
        settings: Mapping[str, str] | None = None,
        shop_options: Sequence[str] = (),
        ecc_options: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.shop_port = free_port()
        self.ecc_port = free_port()
        self.shop_url = f"http://127.0.0.1:{self.shop_port}"
        self.ecc_url = f"http://127.0.0.1:{self.ecc_port}"
        self.processes: dict[str, Server] = {}
        """Every process by name: ``magento``, ``ecc``, and the services."""
        self.http_ports: dict[str, int] = {}
        self._shop_options = shop_options
        self._ecc_options = ecc_options
        self.config = directory / "orderbus.toml"
        sections = {"broker": "", "router": "", "magento": "", "ecc": "", **(settings or {})}
        self.config.write_text(
            CONFIGURATION.format(
                broker_url=broker_url,
                database_url=database_url,
                shop_port=self.shop_port,
                ecc_port=self.ecc_port,
                admin_token=ADMIN_TOKEN,
                **sections,
            )
        )

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of an `orderbus` command."""
        return [sys.executable, "-m", "orderbus", *arguments]

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Run an `orderbus` command with this stack's configuration to its end, and return what it printed."""
        name = f"command-{len(list(self.directory.glob('command-*')))}"
        log = self.directory / name
        server = self._server(name, [*arguments, "--config", str(self.config)], log)
        status = server.wait(120)
        output = log.read_text()
        assert status == expect, f"orderbus {' '.join(arguments)} ended with {status}: {output[-3000:]}"
        return output

    def _server(self, name: str, arguments: Sequence[str], log: Path | None = None) -> Server:
        return Server(self.command(*arguments), log=log or self.directory / f"{name}.log", env=self._environment())

    def _environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parent.parent)
        return {"PATH": str(Path(shutil.which("env") or "/usr/bin/env").parent), "PYTHONPATH": root, "HOME": "/tmp"}

    def start_systems(self) -> None:
        """Start both simulators; they go on with the state they had."""
        self.start_shop()
        self.start_ecc()

    def start_shop(self) -> None:
        """Start the shop's simulator and wait until it answers."""
        options = ("--database", str(self.directory / "magento.db"), "--registered", "0", "--prospects", "0")
        self.processes["magento"] = self._server(
            "magento", ["simulate", "magento", "--port", str(self.shop_port), *options, *self._shop_options]
        )
        wait_until(lambda: _answers(f"{self.shop_url}/_simulator/faults"), "the shop's simulator answers")

    def start_ecc(self) -> None:
        """Start ECC's simulator and wait until it answers."""
        options = ("--database", str(self.directory / "ecc.db"))
        self.processes["ecc"] = self._server(
            "ecc", ["simulate", "ecc", "--port", str(self.ecc_port), *options, *self._ecc_options]
        )
        wait_until(lambda: _answers(f"{self.ecc_url}/_simulator/counts"), "ECC's simulator answers")

    def prepare(self) -> None:
        """Make the tables and the topology."""
        self.run("database", "migrate")
        self.run("topology", "apply")

    def start(self, service: str) -> None:
        """Start a service as a process of its own; several joined by ``+`` share one, ``#2`` behind makes a replica."""
        port = self.http_ports.setdefault(service, free_port())
        names = service.partition("#")[0].split("+")
        arguments = ["run", *names, "--config", str(self.config), "--http-port", str(port)]
        self.processes[service] = self._server(service, arguments)

    def start_services(self, services: Sequence[str] = SERVICES) -> None:
        """Start services, and wait until every one is ready."""
        for service in services:
            self.start(service)
        for service in services:
            self.wait_ready(service)

    def wait_ready(self, service: str) -> None:
        """Wait until a service says that it is ready."""
        url = f"http://127.0.0.1:{self.http_ports[service]}/readyz"

        def ready() -> bool:
            server = self.processes[service]
            assert server.running, f"{service} ended: {server.tail()}"
            return _answers(url)

        wait_until(ready, f"{service} is ready")

    def kill(self, service: str) -> None:
        """Kill a process with SIGKILL."""
        self.processes.pop(service).kill()

    def signal(self, service: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self.processes[service].send(number)

    def close(self) -> None:
        """End every process."""
        for server in self.processes.values():
            server.send(signal.SIGCONT)
        for name, server in list(self.processes.items()):
            if name not in ("magento", "ecc"):
                server.kill()
        for server in self.processes.values():
            if server.running:
                server.kill()

    def orders(self) -> list[dict[str, Any]]:
        """Return the shop's orders."""
        orders: list[dict[str, Any]] = []
        while True:
            after = orders[-1]["entity_id"] if orders else 0
            page = get(f"{self.shop_url}/_simulator/orders?limit=5000&after={after}")["orders"]
            orders += page
            if len(page) < 5000:
                return orders

    def shop_customers(self) -> list[dict[str, Any]]:
        """Return the shop's accounts."""
        found: list[dict[str, Any]] = get(f"{self.shop_url}/_simulator/customers?limit=5000")["customers"]
        return found

    def sales_orders(self) -> list[dict[str, Any]]:
        """Return ECC's sales orders."""
        return list(self._pages("sales-orders"))

    def pending_orders(self) -> list[dict[str, Any]]:
        """Return the rows of ECC's pending table."""
        return list(self._pages("pending-orders"))

    def ecc_customers(self) -> list[dict[str, Any]]:
        """Return ECC's customers."""
        return list(self._pages("customers"))

    def ecc_counts(self) -> dict[str, Any]:
        """Return ECC's counts."""
        counts: dict[str, Any] = get(f"{self.ecc_url}/_simulator/counts")
        return counts

    def register_everybody(self, **decision: Any) -> int:
        """Register, as people in ECC would, everybody whose order waits; return how many."""
        return len(post(f"{self.ecc_url}/_simulator/customers", {"all_waiting": True, **decision})["items"])

    def _pages(self, what: str) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            page = get(f"{self.ecc_url}/_simulator/{what}?limit=5000&after={after}")
            yield from page["items"]
            after = page["next"]

    def unfinished(self) -> list[str]:
        """Return what is still to be done, a line for each order whose way has not come to its end."""
        documents: dict[str, list[dict[str, Any]]] = {}
        for document in self.sales_orders():
            documents.setdefault(document["purch_no_c"].rpartition("-")[2], []).append(document)
        rows = {row["increment_id"]: row for row in self.pending_orders()}
        lines = []
        for order in self.orders():
            number = order["increment_id"]
            if order["state"] == "canceled":
                continue
            numbers = [document["vbeln"] for document in documents.get(number, ())]
            if not numbers:
                lines.append(f"{number}: no sales order")
            elif order["ext_order_id"] not in numbers:
                lines.append(f"{number}: sales order {numbers} not in the shop ({order['ext_order_id']})")
            if number in rows and rows[number]["cleared"] != "X":
                lines.append(f"{number}: its flag is not set")
        return lines

    def wait_finished(self, orders: int, seconds: float = 240.0) -> None:
        """Wait until so many orders have come to the end of their way.

        Raises
        ------
        AssertionError
            They have not in time; with what is missing, and the services' logs.
        """
        deadline = time.monotonic() + seconds
        while True:
            missing = self.unfinished()
            placed = len(self.orders())
            if placed >= orders and not missing:
                return
            if time.monotonic() > deadline:
                logs = {name: server.tail(500) for name, server in self.processes.items() if server.tail(500)}
                raise AssertionError(f"{placed} of {orders} orders placed; unfinished: {missing[:10]}; logs: {logs}")
            time.sleep(0.2)


def net_of(order: Mapping[str, Any]) -> Decimal:
    """Return the net value that the shop shows for an order."""
    return Decimal(str(order["grand_total"])) - Decimal(str(order["tax_amount"]))


def get(url: str) -> Any:
    """Return the JSON behind a URL."""
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


def post(url: str, body: Any) -> Any:
    """Post JSON and return the answer's."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running_stack(stack: Stack, services: Sequence[str] = SERVICES) -> Iterator[Stack]:
    """Start the simulators and services of a stack, and end them afterwards."""
    try:
        stack.start_systems()
        stack.prepare()
        stack.start_services(services)
        yield stack
    finally:
        stack.close()
