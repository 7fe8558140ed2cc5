"""Migrations: what makes the tables, run by Alembic on SQLAlchemy.

Nothing else imports the two. Services ask the database in plain SQL, and look at its revision alone, in
`state.database`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from state.database import Database, revision

LOCK = 0x6F726465
"""Key of the PostgreSQL advisory lock that starts of several processes queue up at."""


def migrate(database: Database) -> list[str]:
    """Bring the database up to the newest migration, in one transaction; safe to start several times at once.

    Returns
    -------
    list[str]
        The migrations that this call ran, oldest first; empty when there was nothing to do.
    """
    config = _config()
    with _connected(database) as connection:
        # Whoever comes second waits here, and then finds the work done.
        if database.driver.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = _revision(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return _newer_than(config, before)


def pending(database: Database) -> list[str]:
    """Return the migrations that the database lacks, oldest first."""
    return _newer_than(_config(), revision(database))


def newest() -> str:
    """Return the newest migration that there is."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise LookupError("There is no migration.")
    return head


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    """Yield a connection of the database's own driver to SQLAlchemy, with failures as the driver's own."""

    def connect() -> Any:
        raw = database.driver.connect()
        if database.driver.name == "postgresql":
            # SQLAlchemy ends its transactions itself; SQLite's begins with the lock.
            raw.autocommit = False
        return raw

    dialect = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}[database.driver.name]
    engine = create_engine(dialect, creator=connect, poolclass=NullPool)
    with database.translated():
        try:
            with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise (error.orig or error) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _newer_than(config: Config, before: str | None) -> list[str]:
    scripts = ScriptDirectory.from_config(config)
    return [script.revision for script in scripts.iterate_revisions("head", before)][::-1]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
