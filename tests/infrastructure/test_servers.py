"""The private servers do what the tests need of them, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import amqp
import kombu
import psycopg
import pytest

from tests.processes import wait_until
from tests.rabbitmq import RabbitNode


def _connect(url: str, **options: object) -> None:
    with kombu.Connection(url, connect_timeout=5, **options) as connection:
        connection.ensure_connection(max_retries=1)


def test_each_virtual_host_is_fresh_and_goes_with_its_test(rabbitmq: RabbitNode) -> None:
    one, other = rabbitmq.new_vhost(), rabbitmq.new_vhost()
    assert one != other
    with kombu.Connection(one) as connection:
        connection.SimpleQueue("things").put("one")
    with kombu.Connection(other) as connection, pytest.raises(connection.channel_errors):
        connection.default_channel.queue_declare("things", passive=True)
    rabbitmq.delete_vhost(one)
    rabbitmq.delete_vhost(other)
    with pytest.raises(amqp.NotAllowed, match="not found"):
        _connect(one)


def test_a_user_may_do_only_what_it_was_permitted(rabbitmq: RabbitNode, broker_url: str) -> None:
    url = rabbitmq.add_user("reader", ("^$", "^$", "^orderbus\\.things$"), vhost=broker_url)
    with kombu.Connection(url) as connection, pytest.raises(connection.channel_errors, match="ACCESS_REFUSED"):
        connection.default_channel.queue_declare("orderbus.things")


def test_the_memory_alarm_blocks_who_publishes(rabbitmq: RabbitNode, broker_url: str) -> None:
    blocked: list[str] = []
    options = {"on_blocked": blocked.append, "on_unblocked": lambda: blocked.append("over")}
    with kombu.Connection(broker_url, transport_options=options) as connection:
        channel = connection.default_channel
        channel.queue_declare("things")
        rabbitmq.raise_memory_alarm()
        try:
            channel.basic_publish(amqp.Message("x"), routing_key="things")
            connection.drain_events(timeout=10)
            assert len(blocked) == 1
        finally:
            rabbitmq.clear_memory_alarm()
        connection.drain_events(timeout=10)
        assert blocked[1:] == ["over"]


def test_an_operator_closes_the_connections_of_one_virtual_host(rabbitmq: RabbitNode, broker_url: str) -> None:
    other_url = rabbitmq.new_vhost()
    with kombu.Connection(broker_url) as connection, kombu.Connection(other_url) as other:
        connection.connect()
        other.connect()
        rabbitmq.close_all_connections(broker_url)
        with pytest.raises(connection.connection_errors, match="closed by a test"):
            connection.drain_events(timeout=10)
        other.default_channel.queue_declare("things")
    rabbitmq.delete_vhost(other_url)


def test_what_was_confirmed_outlives_a_kill(rabbitmq: RabbitNode, broker_url: str) -> None:
    arguments = {"x-queue-type": "quorum"}
    options = {"confirm_publish": True}
    with kombu.Connection(broker_url, transport_options=options) as connection:
        queue = kombu.Queue("things", queue_arguments=arguments)
        connection.Producer().publish("kept", routing_key="things", declare=[queue], delivery_mode=2)
    rabbitmq.settle()
    rabbitmq.kill()
    assert not rabbitmq.running
    rabbitmq.start()
    with kombu.Connection(broker_url) as connection:
        message = connection.SimpleQueue(queue).get(timeout=20)
        assert message.payload == "kept"
        message.ack()


def test_tls_is_trusted_through_the_private_authority_alone() -> None:
    node = RabbitNode(tls=True)
    try:
        node.start()
        _connect(node.url(tls=True), ssl={"ca_certs": str(node.ca_file), "server_hostname": "localhost"})
        with pytest.raises(kombu.exceptions.OperationalError, match="certificate"):
            _connect(node.url(tls=True), ssl={"server_hostname": "localhost", "cert_reqs": 2})
    finally:
        node.close()
    assert not node.directory.exists()


def test_each_database_is_fresh(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


@pytest.mark.parametrize("server", ["rabbitmq.RabbitNode", "postgres.PostgresCluster"])
def test_nothing_outlives_a_test_run_that_is_killed(server: str) -> None:
    module, name = server.split(".")
    program = (
        f"from tests.{module} import {name}; import time; server = {name}(); server.start(); "
        "print(server._server.pid, server.directory, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    pid, directory = run.stdout.readline().split()
    os.kill(int(pid), 0)
    run.send_signal(signal.SIGKILL)
    run.wait()

    def gone() -> bool:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return not Path(directory).exists()
        return False

    wait_until(gone, "the server and its directory are gone")
