"""``orderbus run`` as a process: ready, asked, stopped."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.orderbus.conftest import Run, Start, Systems, clean_environment
from tests.processes import Server, free_port, wait_until
from tests.rabbitmq import RabbitNode

Configured = Callable[..., str]


def ask(port: int, path: str) -> tuple[int, str]:
    """Return status and text of an answer; status 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def until_ready(server: Server, port: int) -> None:
    wait_until(lambda: ask(port, "/readyz")[0] == 200 or not server.running, "the process is ready")
    assert server.running, server.tail()


def test_services_start_answer_and_stop(
    run: Run, start: Start, configured: Configured, systems: Systems, broker_url: str
) -> None:
    path = configured(broker=broker_url, systems=systems)
    run("database", "migrate")
    run("topology", "apply")
    port = free_port()
    server = start("run", "router", "contacts", "--config", path, "--http-port", str(port))
    until_ready(server, port)
    assert ask(port, "/healthz")[0] == 200
    assert "orderbus_broker_connected 1.0" in ask(port, "/metrics")[1]
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert server.tail() == ""


def test_all_services_on_the_embedded_broker(run: Run, start: Start, configured: Configured, systems: Systems) -> None:
    path = configured(systems=systems)
    run("database", "migrate")
    port = free_port()
    server = start("run", "--all", "--config", path, "--http-port", str(port))
    until_ready(server, port)
    server.send(signal.SIGINT)
    assert server.wait() == 0
    assert server.tail() == ""


def test_not_ready_while_a_queue_is_missing(start: Start, configured: Configured, broker_url: str) -> None:
    path = configured(broker=broker_url)
    port = free_port()
    server = start("run", "router", "--config", path, "--http-port", str(port))
    wait_until(lambda: ask(port, "/readyz")[0] or not server.running, "the process answers")
    wait_until(lambda: "orderbus.ecc-orders" in ask(port, "/readyz")[1], "the missing queue is named")
    status, text = ask(port, "/readyz")
    assert status == 503
    assert not json.loads(text)["ready"]
    assert ask(port, "/healthz")[0] == 200


def test_a_stop_while_the_broker_is_looked_for(start: Start, configured: Configured) -> None:
    path = Path(configured(broker=f"amqp://127.0.0.1:{free_port()}/"))
    path.write_text(path.read_text().replace("start_timeout = 2.0", "start_timeout = 600.0"))
    port = free_port()
    server = start("run", "router", "--config", str(path), "--http-port", str(port))
    wait_until(lambda: ask(port, "/readyz")[0] == 503 or not server.running, "the process answers")
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def test_a_second_signal_ends_at_once(start: Start, configured: Configured, rabbitmq: RabbitNode) -> None:
    url = rabbitmq.new_vhost()
    path = configured(broker=url)
    port = free_port()
    server = start("run", "router", "--config", path, "--http-port", str(port))
    wait_until(lambda: "orderbus_broker_connected 1.0" in ask(port, "/metrics")[1], "the broker is connected")
    rabbitmq.pause()
    try:
        server.send(signal.SIGINT)
        wait_until(lambda: "not running" in ask(port, "/readyz")[1] or not server.running, "it stops", seconds=10)
        server.send(signal.SIGINT)
        assert server.wait(10) in {0, 130}
    finally:
        rabbitmq.resume()


def test_a_service_is_not_told_anothers_secrets(start: Start, configured: Configured, broker_url: str) -> None:
    path = Path(configured(broker=broker_url))
    path.write_text(path.read_text().replace('passwd = "simulator"', 'passwd = "${NOT_FOR_THE_ROUTER}"'))
    port = free_port()
    server = start("run", "router", "--config", str(path), "--http-port", str(port))
    wait_until(lambda: ask(port, "/healthz")[0] == 200 or not server.running, "the process answers")
    assert server.running, server.tail()
    refused = start("run", "ecc-holds", "--config", str(path))
    assert refused.wait() == 2
    assert "ecc.connection.passwd: the environment variable NOT_FOR_THE_ROUTER is not set" in refused.tail()


def test_the_router_starts_without_what_others_need() -> None:
    program = (
        "import sys, orderbus.commands.run;"
        "print(*sorted({'sqlalchemy', 'alembic', 'rich', 'psycopg', 'aiohttp'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=clean_environment())
    assert done.stdout.strip() == ""
