"""A database that speaks TLS with a certificate of a private authority."""

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresCluster


@pytest.fixture(scope="session")
def tls_postgres() -> Iterator[PostgresCluster]:
    """Yield a PostgreSQL server that takes TLS connections and no others."""
    cluster = PostgresCluster(tls=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
