"""The migrations make the tables, once, on a database of either kind and of any age."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import String, inspect

from adapters.contacts import directory
from adapters.magento import ledger
from schemas.failures import Outage
from state.database import HEAD, Database, open_database, require_current, revision
from state.migrations import _config, _connected, migrate, newest, pending


@pytest.mark.parametrize(("table", "lengths"), [("contact", directory.LENGTHS), ("magento_skipped", ledger.LENGTHS)])
def test_the_code_knows_how_much_the_columns_take(database: Database, table: str, lengths: dict[str, int]) -> None:
    with _connected(database) as connection:
        columns = inspect(connection).get_columns(table)
    made = {one["name"]: one["type"].length for one in columns if isinstance(one["type"], String)}
    assert made == lengths


def test_head_is_the_newest(database: Database) -> None:
    assert newest() == HEAD == revision(database)
    require_current(database)
    assert pending(database) == []


def test_the_history_is_a_line() -> None:
    scripts = ScriptDirectory.from_config(_config())
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert all(not script.is_merge_point and not script.is_branch_point for script in scripts.walk_revisions())


def test_started_at_once_they_run_once(empty_database: Database, database_url: str) -> None:
    before = pending(empty_database)
    assert before

    def start(_number: int) -> list[str]:
        database = open_database(database_url)
        try:
            return migrate(database)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as threads:
        ran = list(threads.map(start, range(4)))
    assert sorted(ran) == [[], [], [], before]


def test_one_that_fails_leaves_nothing(empty_database: Database) -> None:
    empty_database.execute("CREATE TABLE watermark (other INTEGER)")
    try:
        migrate(empty_database)
    except Exception:  # noqa: BLE001 - whatever it is, it must leave nothing
        pass
    else:
        raise AssertionError("A table that exists must fail the migration.")
    assert revision(empty_database) is None
    empty_database.execute("DROP TABLE watermark")
    assert migrate(empty_database) == [HEAD]


def test_a_migration_of_a_database_that_went_away_is_an_outage(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/bus.db")
    database.close()
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "bus.db").write_text("no database" * 1000)
    with pytest.raises(Outage, match="cannot be used"):
        migrate(database)


def test_a_file_of_earlier_is_read_and_written_alike(tmp_path: Path) -> None:
    """Times are text in UTC with six digits of a second, which sorts as the times do."""
    database = open_database(f"sqlite:///{tmp_path}/bus.db")
    migrate(database)
    earlier = sqlite3.connect(tmp_path / "bus.db")
    values = ["1:42", "0000100001", "0000000815", "a@b.example", "a@b.example", None, "1", "default", "Jane", "Doe"]
    earlier.execute(
        "INSERT INTO contact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*values, "2026-03-01 12:00:00.000000"]
    )
    earlier.commit()
    (contact,) = directory.contacts(database)
    assert contact.registered_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert directory.store(database, contact)
    assert earlier.execute("SELECT registered_at FROM contact").fetchall() == [("2026-03-01 12:00:00.000000",)]
    earlier.close()
    database.close()


def test_services_import_neither_sqlalchemy_nor_alembic() -> None:
    program = (
        "import sys, state.database, state.kept, state.watermark, state.sqlite, state.postgresql;"
        "print(*{'alembic', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
