"""What a database URL opens, and what its failures say."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from schemas.failures import Outage, Permanent, Transient
from state import lease
from state.database import MOST_CONNECTIONS, POOL_SIZE, Database, open_database, require_current
from state.postgresql import for_libpq, without_password
from tests.processes import free_port, wait_until


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://a:SECRET@b/c", "sqlite://", "sqlite:///:memory:"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(Permanent) as failure:
        open_database(url)
    assert "sqlite:///" in failure.value.remedy
    assert "SECRET" not in str(failure.value)


def test_sqlite_is_safe_for_several_processes(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/made/for/it.db")
    assert {name: database.execute(f"PRAGMA {name}")[0][0] for name in PRAGMAS} == PRAGMAS


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
    monkeypatch.setattr("state.sqlite.BUSY_TIMEOUT", 50)
    path = tmp_path / "orders.db"
    database = open_database(f"sqlite:///{path}")
    database.execute("CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT, expires_at REAL)")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match="busy") as failure:
        lease.hold(database, "a", "b", 1)
    assert not isinstance(failure.value, Outage)
    other.rollback()
    other.close()
    assert lease.hold(database, "a", "b", 1)


def test_a_wrong_postgresql_password_is_one_clear_line(postgres_url: str) -> None:
    where = postgres_url.partition("@")[2]
    with pytest.raises(Outage) as failure:
        open_database(f"postgresql://nobody_here:MARKED-SECRET@{where}")
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


def test_a_connection_that_the_server_ended_is_replaced(postgres_database: Database, postgres_url: str) -> None:
    ((victim,),) = postgres_database.execute("SELECT pg_backend_pid()")
    assert postgres_database.execute("SELECT pg_backend_pid()") == [(victim,)]
    other = open_database(postgres_url)
    other.execute("SELECT pg_terminate_backend(:pid, 5000)", {"pid": victim})
    other.close()
    assert lease.hold(postgres_database, "a", "b", 1)


@pytest.mark.parametrize("ask_after", [0.0, 60.0])
def test_a_connection_that_lay_idle_is_asked_first(
    postgres_database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch, ask_after: float
) -> None:
    """A firewall forgets a connection without a word, as here nothing is heard of its end."""
    monkeypatch.setattr("state.postgresql._spoke", lambda _raw: False)
    monkeypatch.setattr("state.postgresql.ASK_AFTER", ask_after)
    ((victim,),) = postgres_database.execute("SELECT pg_backend_pid()")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [victim])
    with nullcontext() if ask_after == 0 else pytest.raises(Outage):
        assert lease.hold(postgres_database, "a", "b", 1)


def test_a_connection_that_breaks_in_use_is_an_outage(postgres_database: Database) -> None:
    with pytest.raises(Outage):
        postgres_database.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert lease.hold(postgres_database, "a", "b", 1)


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def add_and_fail() -> None:
        with database.begin() as transaction:
            transaction.execute("INSERT INTO watermark VALUES ('a', 'b', 'c')")
            raise LookupError

    with pytest.raises(LookupError):
        add_and_fail()
    assert database.execute("SELECT name FROM watermark") == []
    with database.begin() as transaction:
        transaction.execute("INSERT INTO watermark VALUES ('a', 'b', 'c')")
    assert database.execute("SELECT name FROM watermark") == [("a",)]


def test_two_that_wait_for_each_other_are_tried_again(postgres_database: Database) -> None:
    """PostgreSQL ends one of two transactions in a deadlock."""
    postgres_database.execute("INSERT INTO watermark VALUES ('1', 'm', 'i'), ('2', 'm', 'i')")
    both = threading.Barrier(2)

    def move(names: tuple[str, str]) -> str:
        try:
            with postgres_database.begin() as transaction:
                transaction.execute("UPDATE watermark SET moment = 'x' WHERE name = :name", {"name": names[0]})
                both.wait(30)
                transaction.execute("UPDATE watermark SET moment = 'x' WHERE name = :name", {"name": names[1]})
        except Transient as failure:
            return str(failure)
        return ""

    with ThreadPoolExecutor(2) as threads:
        said = sorted(threads.map(move, [("1", "2"), ("2", "1")]))
    assert said[0] == ""
    assert "lost against another" in said[1]


def test_many_values_are_one_call(database: Database) -> None:
    marks = [{"name": str(number), "moment": "m"} for number in range(300)]
    with database.begin() as transaction:
        added = transaction.execute_each("INSERT INTO watermark VALUES (:name, :moment, '') RETURNING name", marks)
        assert transaction.execute_each("DELETE FROM watermark WHERE name = :name", marks[1:]) == []
        assert transaction.execute_each("DELETE FROM watermark WHERE name = :name", []) == []
    assert added == [(mark["name"],) for mark in marks]
    assert database.execute("SELECT name FROM watermark") == [("0",)]


def test_times_are_aware_and_utc(database: Database) -> None:
    east = timezone(timedelta(hours=9))
    add = "INSERT INTO magento_published VALUES (:order_id, 'p', :at)"
    database.execute(add, {"order_id": "1", "at": datetime(2026, 3, 1, 21, tzinfo=east)})
    ((at,),) = database.execute("SELECT published_at FROM magento_published")
    assert at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert at.tzinfo is UTC
    with pytest.raises(ValueError, match="without a zone"):
        database.execute(add, {"order_id": "2", "at": datetime(2026, 3, 1, 21)})  # noqa: DTZ001 - that is the point


def test_few_connections_are_kept_and_never_too_many(postgres_database: Database, postgres_url: str) -> None:
    with ThreadPoolExecutor(2 * MOST_CONNECTIONS) as threads:
        seen = threads.map(lambda _: postgres_database.execute(ACTIVE), range(2 * MOST_CONNECTIONS))
        assert max(count for ((count, _),) in seen) <= MOST_CONNECTIONS
    wait_until(lambda: connections(postgres_url) == POOL_SIZE, "the server has noticed")
    postgres_database.close()
    wait_until(lambda: connections(postgres_url) == 0, "the server has noticed")
    assert lease.hold(postgres_database, "a", "b", 1)
    wait_until(lambda: connections(postgres_url) == 0, "the server has noticed")


ACTIVE = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'),
        pg_sleep(0.5)
"""


def connections(url: str) -> int:
    """Return how many others are connected to a database."""
    with psycopg.connect(url, application_name="test") as own:
        row = own.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_database_without_tables_says_how_to_make_them(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/orders.db")
    with pytest.raises(Permanent, match="migration none") as failure:
        require_current(database)
    assert "orderbus database migrate" in failure.value.remedy


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://bus:MARKED@db:5432/orders", "postgresql://bus:***@db:5432/orders"),
        ("postgres://bus:MAR@KED/MARKED@db/orders", "postgres://bus:***@db/orders"),
        ("postgresql://db/orders?user=bus&password=MARKED&sslpassword=MARKED", "postgresql://db/orders?user=bus&"),
    ],
)
def test_shown_hides_the_password(url: str, shown: str) -> None:
    assert without_password(url).startswith(shown)
    assert "MARKED" not in without_password(url)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("postgresql://db/orders", {"host": "db", "dbname": "orders"}),
        ("postgres://bus@db/orders", {"user": "bus", "host": "db", "dbname": "orders"}),
        (
            "postgresql+psycopg://bus:a%2Fb/c%25@db:5433/orders?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            {
                "user": "bus",
                "password": "a/b/c%",
                "host": "db",
                "port": "5433",
                "dbname": "orders",
                "sslmode": "verify-full",
                "sslrootcert": "/etc/ca.pem",
            },
        ),
        ("postgresql://bus:s@one:5432,two:5432/orders?target_session_attrs=read-write", {"host": "one,two"}),
        ("postgresql:///orders?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "orders"}),
    ],
)
def test_what_a_url_says(url: str, options: dict[str, str]) -> None:
    found = conninfo_to_dict(for_libpq(url))
    assert {name: found.get(name) for name in options} == options


def test_an_option_that_there_is_not() -> None:
    with pytest.raises(Permanent, match="library") as failure:
        open_database("postgresql://bus:MARKED@db/orders?sslmod=require")
    assert "MARKED" not in str(failure.value)
    assert "libpq" in failure.value.remedy
    with pytest.raises(Permanent, match="SQLite"):
        open_database("sqlite:///orders.db?timeout=3")
