"""Fixtures for every test: a broker and a database of the test run's own."""

import base64
import json
import os
import secrets
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError
from urllib.parse import quote, unquote, urlsplit

import pytest

from tests.postgres import PostgresCluster
from tests.rabbitmq import RabbitNode


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitNode]:
    """Yield a private RabbitMQ node, shared by the tests of one process; whoever stops it starts it again."""
    node = RabbitNode()
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def tls_rabbitmq() -> Iterator[RabbitNode]:
    """Yield a RabbitMQ node that listens on a TLS port as well, with a certificate of a private authority."""
    node = RabbitNode(tls=True)
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the AMQP URL of a fresh virtual host, see `virtual_host`."""
    yield from virtual_host(request)


def virtual_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the AMQP URL of a fresh virtual host: of the broker named by the environment, or of a private node."""
    if given := os.environ.get("ORDERBUS_TEST_BROKER_URL"):
        yield from _vhost_of_given_broker(given)
        return
    node: RabbitNode = request.getfixturevalue("rabbitmq")
    if not node.running:
        node.start()
    url = node.new_vhost()
    yield url
    if node.running:
        node.delete_vhost(url)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """Yield a private PostgreSQL server, shared by the tests of one process."""
    cluster = PostgresCluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def postgres_url(postgres: PostgresCluster) -> Iterator[str]:
    """Yield the URL of a fresh database."""
    url = postgres.new_database()
    yield url
    postgres.delete_database(url)


def _vhost_of_given_broker(given: str) -> Iterator[str]:
    """Make a virtual host through the management API of a broker, and delete it afterwards."""
    parts = urlsplit(given)
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    management = os.environ.get("ORDERBUS_TEST_MANAGEMENT_URL", f"http://{parts.hostname}:15672")
    vhost = f"orderbus-test-{secrets.token_hex(6)}"

    def call(method: str, path: str, body: object = None) -> None:
        request = urllib.request.Request(
            f"{management}/api/{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
        with urllib.request.urlopen(request, timeout=30):
            pass

    try:
        call("PUT", f"vhosts/{vhost}")
        call("PUT", f"permissions/{vhost}/{quote(user, safe='')}", {"configure": ".*", "write": ".*", "read": ".*"})
    except (URLError, OSError) as error:
        pytest.fail(
            f"The broker of ORDERBUS_TEST_BROKER_URL could not make a virtual host at {management}: {error}. Enable "
            "its management plugin, give an administrator's URL, or set ORDERBUS_TEST_MANAGEMENT_URL; or unset "
            "ORDERBUS_TEST_BROKER_URL to use an installed RabbitMQ.",
            pytrace=False,
        )
    yield parts._replace(path=f"/{vhost}").geturl()
    call("DELETE", f"vhosts/{vhost}")
