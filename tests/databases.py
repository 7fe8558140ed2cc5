"""Fixtures of a database of its own for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from state.database import Database, open_database
from state.migrations import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without tables, on either kind."""
    sqlite = request.param == "sqlite"
    url: str = f"sqlite:///{tmp_path}/bus.db" if sqlite else request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """Yield a database without tables, on either kind."""
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """Return a migrated database, on either kind."""
    migrate(empty_database)
    return empty_database


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """Yield a migrated PostgreSQL database."""
    database = open_database(postgres_url)
    migrate(database)
    yield database
    database.close()
