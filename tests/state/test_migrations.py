"""The migrations make exactly the tables that the code defines."""

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, String, Table, text

from state.database import HEAD, open_database, require_current, revision
from state.migrations import _config, migrate, newest, pending
from state.tables import METADATA

WITH_TABLES = ("adapters.contacts.tables", "adapters.magento.tables")


def differences(engine: Engine) -> list[object]:
    for module in WITH_TABLES:
        importlib.import_module(module)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_migrated_is_what_the_code_defines(database: Engine) -> None:
    assert differences(database) == []


def test_a_table_without_its_migration_would_be_seen(database: Engine) -> None:
    extra = Table("forgotten", METADATA, Column("name", String(10)))
    try:
        assert differences(database) != []
    finally:
        METADATA.remove(extra)


def test_head_is_the_newest(database: Engine) -> None:
    assert newest() == HEAD == revision(database)
    require_current(database)
    assert pending(database) == []


def test_the_history_is_a_line() -> None:
    scripts = ScriptDirectory.from_config(_config())
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert all(not script.is_merge_point and not script.is_branch_point for script in scripts.walk_revisions())


def test_started_at_once_they_run_once(empty_database: Engine) -> None:
    url = empty_database.url.render_as_string(hide_password=False)
    before = pending(empty_database)
    assert before

    def start(_number: int) -> list[str]:
        engine = open_database(url)
        try:
            return migrate(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        ran = list(threads.map(start, range(4)))
    assert sorted(ran) == [[], [], [], before]


def test_one_that_fails_leaves_nothing(empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        connection.execute(text("CREATE TABLE watermark (other INTEGER)"))
    try:
        migrate(empty_database)
    except Exception:  # noqa: BLE001 - whatever it is, it must leave nothing
        pass
    else:
        raise AssertionError("A table that exists must fail the migration.")
    assert revision(empty_database) is None
    with empty_database.begin() as connection:
        connection.execute(text("DROP TABLE watermark"))
    assert migrate(empty_database) == [HEAD]


def test_a_service_does_not_import_alembic() -> None:
    program = "import sys, state.database, state.lease, state.watermark; print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
