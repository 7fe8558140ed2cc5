"""TLS to the broker and to the database, verified against a private authority: it works, or one line says why not."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from socket import create_server

import pytest
import trustme

from schemas import messages as m
from tests.hardening.raw import put
from tests.postgres import PostgresCluster
from tests.processes import wait_until
from tests.rabbitmq import RabbitNode
from tests.stack import Stack

REGISTERED = m.CustomerRegistered(
    customer_key="1:42",
    website="1",
    store="default",
    registration=m.Registration("0000012345", "0000000077"),
    email="jane@acme.example",
    original_email="jane@acme.example",
    credit_limit=Decimal(5),
    credit_currency="EUR",
    registered_at=datetime(2026, 11, 23, tzinfo=UTC),
)


def verified(url: str, ca_file: Path) -> str:
    """Return a database URL under which the server must prove to be ``localhost``."""
    return f"{url.replace('127.0.0.1', 'localhost')}?sslmode=verify-full&sslrootcert={ca_file}"


@pytest.fixture
def other_authority(tmp_path: Path) -> Path:
    """Return the certificate of an authority that has signed nothing."""
    path = tmp_path / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def stack(directory: Path, broker_url: str, database_url: str, ca_file: Path | str) -> Stack:
    settings = {"broker": f'ca_file = "{ca_file}"\nstart_timeout = 0.5'}
    return Stack(directory, broker_url, database_url, settings=settings)


def refusal(running: Stack, *arguments: str, status: int = 75) -> str:
    """Return the one line in which a command ends."""
    said = running.run(*arguments, expect=status)
    assert said.count("\n") == 1, said
    assert said.startswith("orderbus: ")
    return said


def test_a_service_works_over_tls_alone(
    tmp_path: Path, tls_rabbitmq: RabbitNode, tls_postgres: PostgresCluster
) -> None:
    vhost = tls_rabbitmq.new_vhost().rpartition("/")[2]
    broker = tls_rabbitmq.url(vhost, tls=True)
    running = stack(tmp_path, broker, verified(tls_postgres.new_database(), tls_postgres.ca_file), tls_rabbitmq.ca_file)
    try:
        running.prepare()
        running.start_services(["contacts"])
        ca_file = str(tls_rabbitmq.ca_file)
        put(broker, "orderbus.contacts", "orderbus.customer.registered.v1", REGISTERED, ca_file=ca_file)
        wait_until(lambda: json.loads(running.run("contacts", "list", "--json")), "the contact is stored", every=0.2)
    finally:
        running.close()


def test_a_broker_of_another_authority_is_refused(
    tmp_path: Path, tls_rabbitmq: RabbitNode, other_authority: Path
) -> None:
    running = stack(tmp_path, tls_rabbitmq.url(tls=True), f"sqlite:///{tmp_path}/bus.db", other_authority)
    said = refusal(running, "topology", "check")
    assert "certificate" in said
    assert "broker.ca_file" in said
    running.run("database", "migrate")
    said = running.run("run", "contacts", expect=75)
    assert said.splitlines()[-1].startswith("orderbus: ")
    assert "broker.ca_file" in said.splitlines()[-1]


def test_an_authority_that_is_not_there_is_named(tmp_path: Path, tls_rabbitmq: RabbitNode) -> None:
    running = stack(tmp_path, tls_rabbitmq.url(tls=True), f"sqlite:///{tmp_path}/bus.db", tmp_path / "absent.pem")
    assert "absent.pem" in refusal(running, "topology", "check", status=1)


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, tls_rabbitmq: RabbitNode) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    running = stack(tmp_path, tls_rabbitmq.url(tls=True), f"sqlite:///{tmp_path}/bus.db", nonsense)
    assert "broker.ca_file" in refusal(running, "topology", "check", status=1)


def test_a_broker_of_another_name_is_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with listening(authority.issue_cert("other.example")) as port:
        url = f"amqps://bus:secret@localhost:{port}/"
        running = stack(tmp_path, url, f"sqlite:///{tmp_path}/bus.db", ca_file)
        said = refusal(running, "topology", "check")
    assert "localhost" in said
    assert "certificate" in said


def test_a_plain_port_spoken_to_in_tls_is_one_line(tmp_path: Path, tls_rabbitmq: RabbitNode) -> None:
    url = tls_rabbitmq.url(tls=True).replace(str(tls_rabbitmq.tls_port), str(tls_rabbitmq.port))
    running = stack(tmp_path, url, f"sqlite:///{tmp_path}/bus.db", tls_rabbitmq.ca_file)
    assert "TLS" in refusal(running, "topology", "check")


def test_a_database_of_another_authority_is_refused(
    tmp_path: Path, tls_postgres: PostgresCluster, other_authority: Path
) -> None:
    running = stack(tmp_path, "memory://", verified(tls_postgres.dsn(), other_authority), "")
    said = refusal(running, "database", "status")
    assert "certificate" in said
    assert tls_postgres.dsn().split(":")[2].partition("@")[0] not in said


def test_a_database_that_asks_for_tls_is_not_spoken_to_without(tmp_path: Path, tls_postgres: PostgresCluster) -> None:
    running = stack(tmp_path, "memory://", f"{tls_postgres.dsn()}?sslmode=disable", "")
    assert "no encryption" in refusal(running, "database", "status")


@contextmanager
def listening(certificate: trustme.LeafCert) -> Iterator[int]:
    """Take TLS connections with a certificate, and say nothing on them; the value is the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
