"""``orderbus run`` as a process: ready, asked, stopped."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec

from schemas.messages import RegisterCustomer
from tests.ecc.examples import customer
from tests.flow.wire import Seen, Wire
from tests.orderbus.conftest import Run, Start, Systems, clean_environment
from tests.processes import Server, free_port, wait_until
from tests.rabbitmq import RabbitNode
from tests.stack import post

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


def test_a_thread_stuck_in_a_call_does_not_keep_the_process(
    run: Run, start: Start, configured: Configured, systems: Systems, broker_url: str
) -> None:
    path = Path(configured(broker=broker_url, systems=systems))
    # A simulator of its own, since it goes on with the call.
    ecc = start("simulate", "ecc", "--port", "0")
    wait_until(lambda: "Listening on " in ecc.tail(), "the simulator listens")
    ecc_url = ecc.tail().split("Listening on ")[1].split()[0]
    text = path.read_text().replace(systems.ecc, ecc_url)
    path.write_text(text.replace("start_timeout = 2.0", "start_timeout = 2.0\nstop_timeout = 0.5"))
    run("database", "migrate")
    run("topology", "apply")
    fault = {"kind": "slow_call", "function": "Z_ORDERBUS_CUSTOMER_REGISTER", "seconds": 3600}
    post(f"{ecc_url}/_simulator/faults", fault)
    wire = Wire(broker_url)
    wire.publish(register_customer())
    server = start("run", "ecc-customers", "--config", str(path))

    def called() -> bool:
        with urllib.request.urlopen(f"{ecc_url}/_simulator/faults", timeout=10) as answer:
            return json.load(answer)["items"] == []

    wait_until(called, "the call has begun")
    server.send(signal.SIGTERM)
    assert server.wait(30) == 130
    assert "orderbus-ecc-customers_0 in " in server.tail()
    wait_until(lambda: wire.waiting("orderbus.ecc-customers") == 1, "its input is in the queue again")
    wire.close()


def register_customer() -> Seen:
    """Return a command as it travels."""
    headers = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": "1",
        "cloudEvents_source": "/test",
        "cloudEvents_type": "orderbus.ecc.customer.register.v1",
        "cloudEvents_time": "2026-01-02T03:04:05Z",
    }
    body = msgspec.json.encode(RegisterCustomer(customer(), "erika@example.com"))
    properties = {"message_id": "1", "delivery_mode": 2, "content_type": "application/json"}
    return Seen("orderbus.commands", "ecc.customer.register", headers, properties, body)


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
