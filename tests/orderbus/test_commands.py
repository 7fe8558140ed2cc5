"""The command line: what it prints, and the one line and exit status in which each mistake ends."""

import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from orderbus.cli import COMMANDS, cli
from orderbus.services import TABLE
from state.database import open_database
from tests.orderbus.conftest import Run, Systems, clean_environment
from tests.processes import free_port

Configured = Callable[..., str]


def with_password(url: str, password: str) -> str:
    """Return a URL with another password."""
    return re.sub(r"(://[^:]*):[^@]*@", rf"\1:{password}@", url)


def refused(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Check that a command ended in one line with this status, beside what it logged, and return the line."""
    assert done.returncode == status, done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith('{"time"')]
    assert len(said) == 1, done.stderr
    assert said[0].startswith("orderbus: ")
    assert done.stdout == ""
    return said[0]


def commands(group: click.Group, context: click.Context) -> list[click.Command]:
    found: list[click.Command] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += [command, *(commands(command, context) if isinstance(command, click.Group) else ())]
    return found


def test_every_command_explains_itself_with_an_example() -> None:
    found = commands(cli, click.Context(cli))
    assert len(found) > len(COMMANDS)
    without = [command.name for command in found if "Example: orderbus" not in (command.help or "")]
    assert without == []


def test_help_and_version(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert run("run", "--help").returncode == 0


def test_a_mistyped_command(run: Run) -> None:
    assert "There is no command rout. Did you mean routes?" in refused(run("rout"), 2)
    assert "No such command" in refused(run("database", "migrat"), 2)
    assert "No such option" in refused(run("routes", "--jsno"), 2)


def test_services_that_are_none(run: Run) -> None:
    assert "There is no service ecc-order. Known are magento-orders" in refused(run("run", "ecc-order"), 2)
    assert "Name the services to run, or --all." in refused(run("run"), 2)
    assert "Name the services to run, or --all." in refused(run("run", "router", "--all"), 2)


def test_no_configuration(run: Run) -> None:
    assert "There is no configuration file orderbus.toml." in refused(run("run", "router"), 2)


def test_a_wrong_key(run: Run, configured: Configured) -> None:
    path = Path(configured())
    path.write_text(path.read_text().replace("[router]", "[router]\ndefault_costumer = '1'"))
    line = refused(run("run", "router"), 2)
    assert "orderbus.toml: router.default_costumer: unknown key; did you mean default_customer?" in line


def test_a_value_of_the_wrong_type(run: Run, configured: Configured) -> None:
    path = Path(configured())
    path.write_text(path.read_text().replace("start_timeout = 2.0", 'start_timeout = "MARKED"'))
    assert "broker.start_timeout: expected float, got str." in refused(run("check"), 2)


def test_a_port_in_use(run: Run, configured: Configured, systems: Systems) -> None:
    configured(systems=systems)
    assert run("database", "migrate").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} of 127.0.0.1 is in use" in refused(run("run", "--all", ORDERBUS_HTTP_PORT=port), 2)
        assert f"Port {port} of 127.0.0.1 is in use" in refused(run("simulate", "ecc", "--port", port), 2)
        assert f"Port {port} of 127.0.0.1 is in use" in refused(run("simulate", "magento", "--port", port), 2)


def test_no_broker(run: Run, configured: Configured) -> None:
    port = free_port()
    configured(broker=f"amqp://bus:MARKED-SECRET@127.0.0.1:{port}/")
    for command in (("run", "router"), ("topology", "apply"), ("topology", "check"), ("dead", "list")):
        line = refused(run(*command), 75)
        assert f"127.0.0.1:{port}" in line
        assert "MARKED-SECRET" not in line


def test_a_wrong_broker_password(run: Run, configured: Configured, broker_url: str) -> None:
    configured(broker=with_password(broker_url, "MARKED-SECRET"))
    for command in (("run", "router"), ("topology", "apply"), ("dead", "list")):
        line = refused(run(*command), 1)
        assert "refused the user name or password" in line
        assert "MARKED-SECRET" not in line


def test_a_wrong_database_password(run: Run, configured: Configured, postgres_url: str) -> None:
    configured()
    url = with_password(postgres_url, "MARKED-SECRET")
    line = refused(run("database", "status", ORDERBUS_DATABASE_URL=url), 75)
    assert "password" in line
    assert "MARKED-SECRET" not in line


def test_an_unmigrated_database(run: Run, configured: Configured) -> None:
    configured()
    assert "Run `orderbus database migrate`" in refused(run("run", "--all"), 1)
    assert "Run `orderbus database migrate`" in refused(run("contacts", "list"), 1)
    assert "Run `orderbus database migrate`" in refused(run("skipped", "list"), 1)


def test_a_service_alone_on_the_embedded_broker(run: Run, configured: Configured) -> None:
    configured()
    assert "Run `orderbus run --all`, or name a RabbitMQ" in refused(run("run", "router"), 1)


def test_commands_that_need_a_broker(run: Run, configured: Configured) -> None:
    configured()
    assert "Name a RabbitMQ" in refused(run("topology", "apply"), 2)
    for command in (("list",), ("show", "x"), ("retry", "--all")):
        assert "RabbitMQ" in refused(run("dead", *command), 1)


def test_a_defect_is_one_line_without_its_message(
    run: Run, configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_text: str) -> None:
        raise ZeroDivisionError("amqp://bus:MARKED-SECRET@broker/ password=MARKED-SECRET")

    configured()
    monkeypatch.setattr("orderbus.config.tomllib.loads", break_down)
    line = refused(run("config", "show"), 1)
    assert "ZeroDivisionError at test_commands.py:" in line
    assert "MARKED" not in line
    whole = run("config", "show", ORDERBUS_DEBUG="1").stderr
    assert "Traceback" in whole
    assert "MARKED" not in whole


def test_the_database_is_migrated_once(run: Run, configured: Configured, postgres_url: str) -> None:
    configured()
    url = postgres_url.replace("+psycopg", "")
    for variables in ({}, {"ORDERBUS_DATABASE_URL": url}):
        before = run("database", "status", "--json", **variables)
        assert before.returncode == 1
        assert json.loads(before.stdout)["revision"] is None
        assert json.loads(run("database", "migrate", "--json", **variables).stdout)["ran"] == ["0001"]
        assert "nothing to do" in run("database", "migrate", **variables).stdout
        after = run("database", "status", **variables)
        assert after.returncode == 0
        assert "up to date" in after.stdout


def test_lists_of_what_is_in_the_database(run: Run, configured: Configured, tmp_path: Path) -> None:
    configured()
    run("database", "migrate")
    database = open_database(f"sqlite:///{tmp_path}/bus.db")
    with database.begin() as transaction:
        transaction.execute(
            "INSERT INTO contact VALUES ('1:42', '0000100001', '0000000815', 'jane@acme.example', "
            "'acme.jane@acme.example', '42', '1', 'default', 'Jane', 'Doe', '2026-03-01 12:00:00.000000')"
        )
        transaction.execute(
            "INSERT INTO magento_skipped VALUES ('7', '000000007', 'default', 'state', 'closed', "
            "'2026-03-01 12:00:00', '2026-03-01 12:00:00.000000')"
        )
    database.close()
    (contact,) = json.loads(run("contacts", "list", "--json").stdout)
    assert (contact["contact_person"], contact["registered_at"]) == ("0000000815", "2026-03-01T12:00:00Z")
    assert "Jane Doe" in run("contacts", "list").stdout
    (order,) = json.loads(run("skipped", "list", "--json").stdout)
    assert (order["increment_id"], order["reason"]) == ("000000007", "state")
    assert "000000007" in run("skipped", "list").stdout


def test_the_topology_is_applied_checked_and_shown(run: Run, configured: Configured, broker_url: str) -> None:
    configured(broker=broker_url)
    before = run("topology", "check", "--json")
    assert before.returncode == 1
    assert {row.queue for row in TABLE} <= set(json.loads(before.stdout)["missing"])
    applied = run("topology", "apply")
    assert applied.returncode == 0
    assert "queue orderbus.router" in applied.stdout
    assert run("topology", "check").returncode == 0
    assert run("dead", "list", "--json").stdout.strip() == "[]"
    assert "There is no dead letter" in refused(run("dead", "retry", "absent"), 1)
    assert "There is no dead letter" in refused(run("dead", "show", "absent"), 1)
    assert "Name the ids to send again, or --all." in refused(run("dead", "retry"), 2)
    shown = run("topology", "show", "--json")
    assert {row.queue for row in TABLE} <= {queue["name"] for queue in json.loads(shown.stdout)["queues"]}


def test_configuration_is_shown_without_secrets(run: Run, configured: Configured) -> None:
    configured(broker="amqp://bus:MARKED-SECRET@broker.example/")
    shown = run("config", "show")
    assert shown.returncode == 0
    assert 'broker.url = "amqp://bus:***@broker.example/"' in shown.stdout
    assert json.loads(run("config", "show", "--json").stdout)["magento"]["auth"]["consumer_secret"] == "***"
    for secret in ("MARKED-SECRET", "orderbusconsumersecret", "orderbusaccesstoken"):
        assert secret not in shown.stdout
    assert "[ecc.default]" in run("config", "example").stdout


def test_output_cut_off_by_its_reader_is_no_defect(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m orderbus asyncapi | head -c 10"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert done.stderr == ""
    assert len(done.stdout) == 10


def test_check_when_all_is_fine(run: Run, configured: Configured, systems: Systems, broker_url: str) -> None:
    configured(broker=broker_url, systems=systems)
    run("database", "migrate")
    run("topology", "apply")
    done = run("check", "--json")
    report = json.loads(done.stdout)
    assert [finding for finding in report["findings"] if not finding["fine"]] == []
    assert {finding["part"] for finding in report["findings"]} == {"router", "broker", "database", "magento", "ecc"}
    assert report["fine"]
    assert done.returncode == 0
    assert "NO " not in run("check").stdout


def test_check_says_what_to_do(run: Run, configured: Configured, systems: Systems, broker_url: str) -> None:
    path = Path(configured(broker=broker_url, systems=systems))
    path.write_text(path.read_text().replace("[magento.auth]", "sap_credit_limit = 'limit_of_credit'\n[magento.auth]"))
    done = run("check", "--json")
    assert done.returncode == 1
    remedies = {
        finding["part"]: finding["remedy"] for finding in json.loads(done.stdout)["findings"] if not finding["fine"]
    }
    assert "orderbus topology apply" in remedies["broker"]
    assert "orderbus database migrate" in remedies["database"]
    assert "limit_of_credit" in remedies["magento"]


def test_check_when_nothing_is_there(run: Run, configured: Configured) -> None:
    configured(broker=f"amqp://bus:MARKED-SECRET@127.0.0.1:{free_port()}/")
    done = run("check")
    assert done.returncode == 1
    bad = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("NO ")}
    assert bad == {"broker:", "database:", "magento:", "ecc:"}
    assert done.stderr == ""
    assert "MARKED" not in done.stdout


def test_check_with_a_wrong_password_of_ecc(run: Run, configured: Configured, systems: Systems) -> None:
    path = Path(configured(systems=systems))
    path.write_text(path.read_text().replace('passwd = "simulator"', 'passwd = "MARKED-SECRET"'))
    done = run("check", "--json")
    (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["part"] == "ecc"]
    assert not finding["fine"]
    assert finding["remedy"]
    assert "MARKED" not in done.stdout + done.stderr


@pytest.mark.parametrize("which", ["magento", "ecc"])
def test_a_simulator_shows_its_state(which: str, systems: Systems) -> None:
    url = {"magento": f"{systems.magento}/_simulator/orders", "ecc": f"{systems.ecc}/_simulator/sales-orders"}[which]
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 200
        json.load(answer)
