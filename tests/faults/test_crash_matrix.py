"""Every service dies once at each instant of its work that matters, and the order that it had in hand ends once.

One running system for all cases; each places an order, or makes a difference that `reconcile` finds. At the end the
table of services and instants is printed.
"""

import re
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import Struct

from orderbus.services import ROW_NAMED, TABLE
from tests.faults import ending
from tests.faults.bench import Bench
from tests.faults.crashing import POINTS
from tests.faults.invariants import Violation
from tests.faults.launching import RECONCILIATION
from tests.faults.wire import channel
from tests.flow.buying import buy_one, prospect
from tests.processes import wait_until
from tests.rabbitmq import RabbitNode

POLLERS = ("magento-orders", "ecc-registrations", "reconcile")
NUMBERS = "magento-order-numbers"
EAGER = RECONCILIATION + "interval = 1\nrepair = true\n"
"""A service `reconcile` that sweeps all the time and heals."""
PATIENCE = 150.0
"""Seconds for an order to end, whose retries may have to wait until a dead process's lease has run out."""


class Case(Struct, frozen=True):
    """Where something dies."""

    service: str
    part: str
    """``handlers`` or ``polls``, see `tests.faults.crashing.PARTS`."""
    point: str

    @property
    def subject(self) -> str:
        """What the table calls it."""
        return f"{self.service} (poll)" if self.part == "polls" else self.service


def cases() -> list[Case]:
    """Return every case there is: what publishes nothing has no instants around publishing."""
    parts = [(row.name, "handlers") for row in TABLE if row.consumes] + [(name, "polls") for name in POLLERS]
    return [
        Case(service, part, point)
        for service, part in parts
        for point in POINTS
        if ROW_NAMED[service].publishes or point in {"before-effect", "confirm-ack"}
    ]


CASES = cases()
SHORT = (
    Case("router", "handlers", "publish-confirm"),
    Case("magento-orders", "polls", "confirm-ack"),
    Case("ecc-orders", "handlers", "effect-publish"),
    Case("contacts", "handlers", "before-effect"),
)
"""Those that run in every test run."""


class Matrix:
    """The running system, and what became of each case."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.became: dict[Case, str] = {}
        self._buyers = 0
        self._known: set[Violation] = set()

    def buy(self) -> None:
        """Let somebody place an order whom ECC does not know, so that every service has a part in it."""
        self._buyers += 1
        buy_one(self.bench.stack.shop_url, prospect(self._buyers))

    def ready(self) -> bool:
        """Look after the services, and tell whether all are ready."""
        self.bench.supervise()
        return self.bench.ready()

    def died(self, before: int) -> bool:
        """Look after the services, and tell whether one has died at its point."""
        self.bench.supervise()
        return self.bench.crashes > before

    def new_violations(self) -> list[Violation]:
        """Return what is wrong that was not before this case."""
        found = [one for one in ending.check(self.bench)[1] if one not in self._known]
        self._known.update(found)
        return found

    def table(self) -> str:
        """Return the table of services and instants in Markdown."""
        subjects = dict.fromkeys(case.subject for case in CASES)
        lines = [f"| service | {' | '.join(POINTS)} |", "|---" * (len(POINTS) + 1) + "|"]
        for subject in subjects:
            became = {case.point: self.became.get(case, "not run") for case in CASES if case.subject == subject}
            lines.append(f"| {subject} | {' | '.join(became.get(point, 'publishes nothing') for point in POINTS)} |")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest, rabbitmq: RabbitNode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    if not rabbitmq.running:
        rabbitmq.start()
    directory: Path = tmp_path_factory.mktemp("crashes")
    bench = Bench(directory, [rabbitmq], f"sqlite:///{directory}/bus.db")
    matrix = Matrix(bench)
    try:
        bench.start()
        ending.listen(bench)
        yield matrix
    finally:
        bench.close()
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{matrix.table()}")  # noqa: T201 - what the run has to show


def orders(matrix: Matrix, case: Case) -> None:
    """Arm the point, and place an order."""
    matrix.bench.crash(case.service, case.point, 1, [case.part])
    matrix.bench.free_leases()
    matrix.buy()


def registrations(matrix: Matrix, case: Case) -> None:
    """Arm the point, place an order, and let people register its buyer while the bus cannot."""
    bench = matrix.bench
    # It publishes the last registration again when it starts, if there is one, and is to die at the one behind it.
    before, registered = bench.crashes, bench.ecc_counts()["registrations"]
    bench.crash(case.service, case.point, 2 if registered else 1, [case.part])
    bench.free_leases()
    if registered:
        wait_until(lambda: published(bench, case.service), "it has published what was there")
    bench.freeze("ecc-customers")
    try:
        matrix.buy()
        wait_until(lambda: bench.ecc_counts()["uncleared"] == 1, "the order waits")
        assert bench.stack.register_everybody() == 1
        wait_until(lambda: matrix.died(before), "it dies at the new registration")
    finally:
        bench.thaw("ecc-customers")


def differences(matrix: Matrix, case: Case) -> None:
    """Let an order's number get lost on its way to the shop, and arm the point."""
    bench = matrix.bench
    bench.kill(NUMBERS, 3600)
    matrix.buy()
    wait_until(lambda: bench.queue_totals()[f"orderbus.{NUMBERS}"] == 1, "the number is on its way", seconds=PATIENCE)
    with channel(bench.url()) as purging:
        purging.queue_purge(f"orderbus.{NUMBERS}")
    bench.kill(NUMBERS, 0)
    config = bench.stack.config
    config.write_text(config.read_text().replace(RECONCILIATION, EAGER))
    bench.crash(case.service, case.point, 1, [case.part])
    bench.free_leases()


def published(bench: Bench, service: str) -> bool:
    """Tell whether a service has published anything since it was started."""
    with suppress(OSError), urllib.request.urlopen(bench.http_url(service, "metrics"), timeout=3) as answer:
        counts = re.findall(r"^orderbus_messages_published_total\{[^}]*\} (\d+)", answer.read().decode(), re.MULTILINE)
        return sum(map(int, counts)) > 0
    return False


BROUGHT_ABOUT: Mapping[tuple[str, str], Callable[[Matrix, Case], None]] = {
    ("ecc-registrations", "polls"): registrations,
    ("reconcile", "polls"): differences,
}
"""How a part of a service comes to its work, where an order alone does not bring it there."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=f"{case.service}-{case.part}-{case.point}", marks=() if case in SHORT else pytest.mark.faults
        )
        for case in CASES
    ],
)
def test_an_order_ends_once_wherever_a_service_dies(case: Case, matrix: Matrix) -> None:
    bench = matrix.bench
    matrix.became[case] = "not brought about"
    wait_until(matrix.ready, "every service is ready", seconds=PATIENCE)
    crashes = bench.crashes
    BROUGHT_ABOUT.get((case.service, case.part), orders)(matrix, case)
    wait_until(lambda: matrix.died(crashes), f"{case.subject} dies at {case.point}", seconds=PATIENCE)
    matrix.became[case] = "died, and did not recover"
    bench.free_leases()
    # Ready first: a service that has just been started may have something to say.
    wait_until(matrix.ready, "every service is ready again", seconds=PATIENCE)
    assert not ending.settle(bench, seconds=PATIENCE, still=PATIENCE, quiet=1.0)
    calm(matrix, case)
    assert not matrix.new_violations()
    matrix.became[case] = "once"


def calm(matrix: Matrix, case: Case) -> None:
    """Let `reconcile` sweep once an hour again."""
    if case.service == "reconcile":
        config = matrix.bench.stack.config
        config.write_text(config.read_text().replace(EAGER, RECONCILIATION))
        matrix.bench.kill("reconcile", 0)


def test_the_matrix_holds_every_service_and_each_of_its_instants() -> None:
    assert {case.service for case in CASES} == set(ROW_NAMED)
    assert len(CASES) == len(set(CASES))
    assert set(SHORT) < set(CASES)
