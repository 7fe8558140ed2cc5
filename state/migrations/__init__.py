"""Migrations of the database's schema, run by Alembic; services only look at the revision, in `state.database`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from state.database import revision

LOCK = 0x6F726465
"""Key of the PostgreSQL advisory lock that starts of several processes queue up at."""


def migrate(engine: Engine) -> list[str]:
    """Bring the database up to the newest migration, in one transaction; safe to start several times at once.

    Returns
    -------
    list[str]
        The migrations that this call ran, oldest first; empty when there was nothing to do.
    """
    config = _config()
    with engine.connect() as connection:
        # Whoever comes second waits here, and then finds the work done.
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = _revision(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return _newer_than(config, before)


def pending(engine: Engine) -> list[str]:
    """Return the migrations that the database lacks, oldest first."""
    return _newer_than(_config(), revision(engine))


def newest() -> str:
    """Return the newest migration that there is."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise LookupError("There is no migration.")
    return head


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
