"""What the documentation lists is what the code has: metrics, settings, exit statuses, reasons, commands, links."""

import itertools
import re
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import REGISTRY

from adapters.ecc import metrics as ecc_metrics
from adapters.magento import gates
from adapters.magento import metrics as magento_metrics
from bus.metrics import Metrics, Outcome
from bus.retry import Reason
from orderbus import cli, process
from orderbus.reconciliation import metrics as reconcile_metrics
from orderbus.reference import configuration_markdown
from orderbus.services import TABLE

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table of operations.md behind some text, without the table's own heading."""
    lines = iter(OPERATIONS.partition(heading)[2].splitlines())
    table = itertools.takewhile(
        lambda line: line.startswith("|"), itertools.dropwhile(lambda line: line[:1] != "|", lines)
    )
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table][2:]


def test_the_metrics_are_those_of_the_code() -> None:
    assert ecc_metrics
    assert magento_metrics
    assert reconcile_metrics
    bus = Metrics(lambda: True)
    bus.handled["router", "t", "done"] = bus.published["router", "k"] = bus.retries["router"] = 1
    bus.dead["router", "bug"] = bus.poll_failures["router"] = 1
    bus.circuits["router"] = False
    bus.handler_took("router", "t", 0.1)
    families = {family.name: family for family in (*REGISTRY.collect(), *bus.collect())}
    ours = {name: family for name, family in families.items() if name.startswith("orderbus_")}
    documented = {}
    for name, kind, labels, _ in rows("## Metrics"):
        documented[name.strip("`").removesuffix("_total")] = (kind, re.findall(r"`(\w+)`", labels))
    assert set(documented) == set(ours)
    registered = getattr(REGISTRY, "_names_to_collectors")  # noqa: B009 - not public
    for name, family in ours.items():
        labelled = registered.get(name)
        labels = list(labelled._labelnames) if labelled is not None else _labels(family)
        assert documented[name] == (family.type, labels), name


def _labels(family: object) -> list[str]:
    samples = getattr(family, "samples")  # noqa: B009 - of whatever kind
    return [label for label in samples[0].labels if label != "le"]


def test_what_is_asked_in_alarms_is_a_metric() -> None:
    known = {name.strip("`") for name, *_ in rows("## Metrics")}
    asked = set(
        re.findall(r"\borderbus_\w+", OPERATIONS.partition("## What to alarm on")[2].partition("## Metrics")[0])
    )
    assert asked
    assert asked <= known


def test_the_outcomes_and_reasons_are_those_of_the_code() -> None:
    def named(metric: str) -> set[str]:
        (cells,) = [cells for cells in rows("## Metrics") if cells[0] == f"`{metric}`"]
        return set(re.findall(r"`([\w-]+)`", cells[3]))

    assert named("orderbus_messages_handled_total") == set(get_args(Outcome))
    assert named("orderbus_magento_orders_skipped_total") == set(get_args(gates.Reason))
    reasons = {reason for cells in rows("orderbus dead retry --all") for reason in re.findall(r"`([\w-]+)`", cells[0])}
    assert reasons == set(get_args(Reason))


def test_the_exit_statuses_are_those_of_the_code() -> None:
    statuses = {int(cells[0]) for cells in rows("Port: `http.port`")}
    assert statuses == {cli.OK, cli.FAILURE, cli.MISUSE, cli.TEMPORARY, cli.INTERRUPTED, process.HARD}


def test_the_settings_are_those_of_the_example() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text()
    assert written == configuration_markdown(), "run `orderbus config example --markdown > docs/configuration.md`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_linked_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_named_are_commands(page: Path) -> None:
    services = {row.name for row in TABLE}
    text = page.read_text()
    for name in re.findall(r"(?:^|`)orderbus ([a-z]+)", text, re.MULTILINE):
        assert name in cli.COMMANDS, name
    for service in re.findall(r"orderbus run ([a-z][a-z-]+)", text):
        assert service in services, service
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"(?m)^{target}:", makefile), target
