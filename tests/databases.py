"""Fixtures of a database of its own for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from state.database import open_database
from state.migrations import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Yield a database without tables, on either kind."""
    sqlite = request.param == "sqlite"
    engine = open_database(f"sqlite:///{tmp_path}/bus.db" if sqlite else request.getfixturevalue("postgres_url"))
    yield engine
    engine.dispose()


@pytest.fixture
def database(empty_database: Engine) -> Engine:
    """Return a migrated database, on either kind."""
    migrate(empty_database)
    return empty_database


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Engine]:
    """Yield a migrated PostgreSQL database."""
    engine = open_database(postgres_url)
    migrate(engine)
    yield engine
    engine.dispose()
