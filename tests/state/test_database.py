"""What a database URL opens, and what its failures say."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from schemas.failures import Outage, Permanent, Transient
from state import lease
from state.database import open_database, require_current, shown
from tests.processes import free_port


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://a:SECRET@b/c", "sqlite://", "sqlite:///:memory:"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(Permanent) as failure:
        open_database(url)
    assert "sqlite:///" in failure.value.remedy
    assert "SECRET" not in str(failure.value)


def test_sqlite_is_safe_for_several_processes(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/made/for/it.db")
    with engine.connect() as connection:
        settings = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
    assert settings == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("a,b,c\n" * 1000)
    with pytest.raises(Outage, match=r"orders\.csv cannot be used"):
        open_database(f"sqlite:///{path}")


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Outage, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path}/file/orders.db")


def test_a_busy_sqlite_file_is_transient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("state.database.BUSY_TIMEOUT", 50)
    path = tmp_path / "orders.db"
    engine = open_database(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT, expires_at REAL)"))
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match="busy") as failure:
        lease.hold(engine, "a", "b", 1)
    assert not isinstance(failure.value, Outage)
    other.rollback()
    other.close()
    assert lease.hold(engine, "a", "b", 1)


def test_a_wrong_postgresql_password_is_one_clear_line(postgres_url: str) -> None:
    url = make_url(postgres_url).set(username="nobody_here", password="MARKED-SECRET")
    with pytest.raises(Outage) as failure:
        open_database(url.render_as_string(hide_password=False))
    said = str(failure.value)
    assert "nobody_here" in said
    assert "password" in failure.value.remedy
    assert "MARKED-SECRET" not in said
    assert "\n" not in said
    assert failure.value.__suppress_context__


def test_no_postgresql_there() -> None:
    port = free_port()
    with pytest.raises(Outage, match="does not answer") as failure:
        open_database(f"postgresql://bus:MARKED-SECRET@127.0.0.1:{port}/orderbus")
    assert str(port) in str(failure.value)
    assert "MARKED-SECRET" not in str(failure.value)


def test_a_connection_that_the_server_ended_is_replaced(postgres_database: Engine) -> None:
    with postgres_database.connect() as connection:
        victim = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    url = postgres_database.url.render_as_string(hide_password=False)
    other = open_database(url)
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": victim})
    other.dispose()
    assert lease.hold(postgres_database, "a", "b", 1)


def test_a_connection_that_breaks_in_use_is_an_outage(postgres_database: Engine) -> None:
    with postgres_database.connect() as connection, pytest.raises(Outage):
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert lease.hold(postgres_database, "a", "b", 1)


def test_a_database_without_tables_says_how_to_make_them(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/orders.db")
    with pytest.raises(Permanent, match="migration none") as failure:
        require_current(engine)
    assert "orderbus database migrate" in failure.value.remedy


def test_shown_hides_the_password() -> None:
    assert shown("postgresql+psycopg://bus:MARKED@db:5432/orders") == "postgresql://bus:***@db:5432/orders"
