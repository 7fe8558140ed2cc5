"""A broker and a database that speak TLS with certificates of a private authority."""

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresCluster
from tests.rabbitmq import RabbitNode


@pytest.fixture(scope="session")
def tls_rabbitmq() -> Iterator[RabbitNode]:
    """Yield a RabbitMQ node that listens on a TLS port as well."""
    node = RabbitNode(tls=True)
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def tls_postgres() -> Iterator[PostgresCluster]:
    """Yield a PostgreSQL server that takes TLS connections and no others."""
    cluster = PostgresCluster(tls=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
