"""What faults are injected into: broker nodes behind proxies, the simulators, and every service under a supervisor."""

import json
import re
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bus.config import BrokerConfig
from bus.topology import apply
from orderbus.services import TABLE
from state.database import open_database
from state.lease import free_all
from state.migrations import migrate
from tests.faults.crashing import PARTS
from tests.faults.feeding import Feeder
from tests.faults.launching import FaultStack
from tests.faults.recovery import Return, Rush
from tests.processes import accepts, wait_until
from tests.proxy import Proxy
from tests.rabbitmq import RabbitNode
from tests.stack import ADMIN_TOKEN, SERVICES, get, post

KILLED = -signal.SIGKILL & 0xFF
"""Exit status of a process that SIGKILL ended, as `tests.processes.Server` tells it."""
TEMPORARY = 75
"""Exit status of a service that found its broker or database away."""
RESTART_PAUSE = 0.5
"""Seconds after which the supervisor starts a process that has ended."""
SESSIONS = 3
"""RFC sessions of each service that calls ECC."""
PUBLISHER = "magento-orders"
RETRY_DELAYS = (1, 2, 5, 10)
"""Seconds; what `tests.stack` configures."""
TOGETHER = "together"
"""Name of the process of all services that have none of their own."""
REPLICATED = ("ecc-orders", "magento-orders", "magento-order-numbers", "ecc-registrations")
"""Services that run twice where replicas are wanted: those for which a second one is the most dangerous."""
TOTALS = """
[{{binary_to_list(element(4, amqqueue:get_name(Q))),
case ra:leader_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1, 5000) of
{{ok, {{_, N}}, _}} -> N; _ -> unknown end}} || Q <- rabbit_amqqueue:list(<<"{vhost}">>), amqqueue:is_quorum(Q)].
"""


class Bench:
    """The system under test with all that can be done to it.

    Parameters
    ----------
    directory:
        Takes the configuration, the simulators' state and every process's output.
    nodes:
        Broker nodes, clustered where there are several; the services reach each through a proxy.
    database_url:
        The bus's own database, empty.
    settings:
        Further lines for the sections of the configuration, see `tests.stack.Stack`.
    registration:
        Who registers customers: the bus (``automatic``) or people in ECC (``manual``).
    replicas:
        Run the services of `REPLICATED` twice.
    apart:
        Services that run in processes of their own; the others share one, which starts sooner.
    tree:
        The code to run, see `FaultStack`.
    """

    def __init__(
        self,
        directory: Path,
        nodes: Sequence[RabbitNode],
        database_url: str,
        *,
        settings: Mapping[str, str] | None = None,
        registration: str = "automatic",
        replicas: bool = False,
        apart: Sequence[str] = SERVICES,
        tree: Path | None = None,
    ) -> None:
        self.nodes = nodes
        self.database_url = database_url
        first = nodes[0].new_vhost()
        self.vhost = first.rpartition("/")[2]
        self.proxies = [Proxy("127.0.0.1", node.port) for node in nodes]
        behind = [
            node.url(self.vhost).replace(f":{node.port}/", f":{proxy.port}/")
            for node, proxy in zip(nodes, self.proxies, strict=True)
        ]
        sections = {
            "broker": "heartbeat = 5\nconnect_timeout = 3\nreconnect_delay = 2\nconfirm_timeout = 10",
            "ecc": f'sessions = {SESSIONS}\nregistration = "{registration}"',
        }
        self.stack = FaultStack(
            directory, ";".join(behind), database_url, settings=sections | dict(settings or {}), tree=tree
        )
        second = [f"{service}#2" for service in REPLICATED] if replicas else []
        self.services: tuple[str, ...] = (*apart, *second)
        """The processes that run services, by name."""
        if together := tuple(service for service in SERVICES if service not in apart):
            self.stack.groups[TOGETHER] = together
            self.services += (TOGETHER,)
        self.exits: Counter[str] = Counter()
        """Services that ended by themselves, as ``name: status``."""
        self.crashes = 0
        """Services that died at a crash point."""
        self.armed = 0
        """Services that were to die at one."""
        self.starts = 0
        """Services that the supervisor has started again."""
        self.publisher_started = False
        """Whether the order publisher has been started again since this was last looked at."""
        self.before_death: tuple[int, int] | None = None
        """Orders that buyers had been told of when the order publisher died, and orders remembered as published then;
        ``None`` once another has been."""
        self.returns: list[Return] = []
        """How long each recovery took."""
        self.rushes: list[Rush] = []
        """How much came at once upon what had just returned."""
        self.registration = registration
        self.sessions = SESSIONS
        self.expected_letters: dict[str, tuple[str, str]] = {}
        """Message ids that must end as dead letters: of which service, and for what reason."""
        self.unfit: set[int] = set()
        """Orders (``entity_id``) that ECC cannot take."""
        self.invoiced: set[int] = set()
        """Orders (``entity_id``) that were invoiced while their numbers may have been written."""
        self.reported: set[int] = set()
        """Orders (``entity_id``) of which the bus has told that a write-back lost another change."""
        self.to_repair: list[str] = []
        """What was done to the broker that makes `orderbus reconcile --repair` an operator's next step."""
        self.feeder: Feeder | None = None
        self._frozen: set[str] = set()
        self._starts: dict[str, float] = {}

    def start(self) -> None:
        """Start everything, and return when every service is ready."""
        self.stack.start_systems()
        with closing(open_database(self.database_url)) as database:
            migrate(database)
        apply(BrokerConfig(url=self.url(), retry_delays=RETRY_DELAYS), TABLE)
        self.stack.start_services(self.services)

    def close(self) -> None:
        """End everything but the broker's nodes."""
        self.stack.close()
        for proxy in self.proxies:
            proxy.close()

    # Processes

    def kill(self, service: str, down: float) -> None:
        """Kill a service with SIGKILL; the supervisor starts it again after so many seconds."""
        self._frozen.discard(service)
        if service in self.stack.processes:
            self.stack.kill(service)
        self._ended(service)
        self._starts[service] = time.monotonic() + down

    def crash(self, service: str, point: str, nth: int, parts: Sequence[str] = PARTS) -> None:
        """Replace a service by one that dies at a point of its work; the supervisor then starts a whole one."""
        self._frozen.discard(service)
        self._starts.pop(service, None)
        if service in self.stack.processes:
            self.stack.kill(service)
        self._ended(service)
        self.armed += 1
        self._started(service)
        self.stack.start_crashing(service, point, nth, parts)

    def freeze(self, service: str) -> None:
        """Stop a service with SIGSTOP: it is there, and does nothing."""
        if service in self.stack.processes:
            self._frozen.add(service)
            self.stack.signal(service, signal.SIGSTOP)

    def thaw(self, service: str) -> None:
        """Let a service go on with SIGCONT."""
        if service in self._frozen and service in self.stack.processes:
            self.stack.signal(service, signal.SIGCONT)
        self._frozen.discard(service)

    def supervise(self) -> None:
        """Start again what has ended, as a supervisor does."""
        now = time.monotonic()
        for service in self.services:
            server = self.stack.processes.get(service)
            if server is not None and not server.running:
                status = server.wait(1)
                mark = self.stack.mark(service)
                if status == KILLED and mark.exists():
                    mark.unlink()
                    self.crashes += 1
                else:
                    self.exits[f"{service}: {status}"] += 1
                del self.stack.processes[service]
                self._ended(service)
                self._starts[service] = now + RESTART_PAUSE
            if service not in self.stack.processes and now >= self._starts.get(service, 0.0):
                self._starts.pop(service, None)
                self.stack.start(service)
                self._started(service)

    def _ended(self, service: str) -> None:
        if service == PUBLISHER and self.before_death is None:
            self.before_death = len(self.placed()), self.published()

    def _started(self, service: str) -> None:
        self.starts += 1
        self.publisher_started |= service == PUBLISHER

    def heal(self) -> None:
        """End every fault that may still be there."""
        for service in list(self._frozen):
            self.thaw(service)
        for proxy in self.proxies:
            proxy.restore()
        for node in self.nodes:
            if not node.running:
                node.start()
            node.clear_memory_alarm()
        wait_until(self._healed_systems, "the simulators take the end of their faults")
        self._starts.clear()
        self.supervise()

    def _healed_systems(self) -> bool:
        try:
            self.ecc_faults(None)
            self.shop_faults(NO_SHOP_FAULTS)
        except OSError:
            return False
        return True

    def not_ready(self) -> list[str]:
        """Return the services that do not say that they are ready."""
        return [service for service in self.services if not self._ready(service)]

    def ready(self) -> bool:
        """Whether every service says that it is ready; none that is down or frozen is asked, which would take long."""
        return not self.down() and all(map(self._ready, self.services))

    def _ready(self, service: str) -> bool:
        try:
            with urllib.request.urlopen(self.http_url(service, "readyz"), timeout=3):
                return True
        except OSError:
            return False

    def http_url(self, service: str, path: str) -> str:
        """Return where a service tells of itself."""
        return f"http://127.0.0.1:{self.stack.http_ports[service]}/{path}"

    def down(self) -> list[str]:
        """Return the services that have no process, or a frozen one."""
        return [service for service in self.services if service not in self.stack.processes or service in self._frozen]

    def free_leases(self) -> None:
        """Free the leases of processes that were killed, as time would."""
        with closing(open_database(self.database_url)) as database:
            free_all(database)

    def published(self) -> int:
        """Return how many orders are remembered as published, by whichever replica."""
        with closing(open_database(self.database_url)) as database:
            return int(database.execute("SELECT count(*) FROM magento_published")[0][0])

    # The broker

    @property
    def node(self) -> RabbitNode:
        """A node that runs."""
        return next(node for node in self.nodes if node.running and accepts(node.port))

    def attempted(self) -> int:
        """Return how many connections to the broker the services have tried."""
        return sum(proxy.attempted for proxy in self.proxies)

    def url(self) -> str:
        """Return the broker's URL for the tests' own use, past the proxies."""
        return self.node.url(self.vhost)

    def queue_totals(self) -> dict[str, int]:
        """Return how many messages each queue holds, those in somebody's hands included; -1 where it cannot tell."""
        answer = self.node.eval(TOTALS.format(vhost=self.vhost).replace("\n", " "))
        found = re.findall(r'\{"([^"]+)",\s*(\d+|unknown)\}', answer)
        assert found, f"the broker tells of no queue: {answer[:500]}"
        return {name: -1 if total == "unknown" else int(total) for name, total in found}

    # The systems

    def placed(self) -> Sequence[int]:
        """Return the orders that buyers were told of so far."""
        return self.feeder.placed if self.feeder else ()

    def poison(self, customer: int) -> None:
        """Place an order that ECC cannot take."""
        if self.feeder is not None:
            self.unfit.add(self.feeder.buy_unfit(customer))

    def ecc_faults(self, faults: Sequence[Mapping[str, Any]] | None) -> None:
        """Arm faults in ECC; ``None`` ends those that wait."""
        url = f"{self.stack.ecc_url}/_simulator/faults"
        if faults is None:
            with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30):
                return
        post(url, list(faults))

    def shop_faults(self, faults: Mapping[str, Any]) -> None:
        """Change what goes wrong in the shop; what is not named stays as it is."""
        post(f"{self.stack.shop_url}/_simulator/faults", dict(faults))

    def shop_call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the shop's REST API as an administrator; ``None`` where it refuses or a fault hits the call."""
        request = urllib.request.Request(
            f"{self.stack.shop_url}/rest/V1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN_TOKEN}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except (OSError, ValueError):
            return None

    @property
    def ecc_sessions(self) -> int:
        """The most RFC sessions that the configuration lets the services have together."""
        names = [name for process in self.services for name in self.stack.names(process)]
        return SESSIONS * sum(name.startswith("ecc-") or name == "reconcile" for name in names)

    def ecc_counts(self) -> dict[str, Any]:
        """Return ECC's counts."""
        counts: dict[str, Any] = get(f"{self.stack.ecc_url}/_simulator/counts")
        return counts


NO_SHOP_FAULTS: Mapping[str, Any] = {
    "latency": 0.0,
    "error_rate": 0.0,
    "deadlock_rate": 0.0,
    "unauthorized_rate": 0.0,
    "too_many_rate": 0.0,
    "requests_per_second": 0.0,
    "retry_after": None,
    "bad_gateway_rate": 0.0,
    "maintenance": False,
    "db_down": False,
    "cut_after_write_rate": 0.0,
    "slow_page_rate": 0.0,
    "slow_page_seconds": 5.0,
    "planned": [],
}
"""What ends the shop's faults; its clock stays as it is."""
CONSUMERS = tuple(row.name for row in TABLE if row.consumes)
"""Services that take messages."""
Heal = Callable[[], None]
