"""SQL goes through bound parameters alone: no statement is put together from values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("adapters", "bus", "orderbus", "router", "schemas", "state")
RUNS_SQL = {"execute", "execute_each", "executemany", "executescript", "exec_driver_sql", "text", "scalar", "scalars"}

USES_SQL = re.compile(r"import sqlite3|import psycopg|sqlalchemy|alembic|from state.database import")


def python_files() -> Iterator[Path]:
    """Yield what services ask the database with; simulators keep their state in SQLite by means of their own."""
    for package in SERVICES:
        for path in (ROOT / package).rglob("*.py"):
            if "simulator" not in path.parts and USES_SQL.search(path.read_text()):
                yield path


def composed(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that run a statement that is put together: an f-string, a sum, a format, a replacement."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        statement = node.args[0]
        is_method = isinstance(statement, ast.Call) and isinstance(statement.func, ast.Attribute)
        formats = is_method and statement.func.attr in {"format", "join", "replace"}  # type: ignore[union-attr, attr-defined]
        if name in RUNS_SQL and (isinstance(statement, ast.JoinedStr | ast.BinOp) or formats):
            yield node


def test_no_statement_is_put_together() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in python_files()
        for call in composed(ast.parse(path.read_text()))
    ]
    assert found == []
    assert len(list(python_files())) > 10


def variable(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls that run what is neither a text nor a name that the module gives to a text alone."""
    texts = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"execute", "execute_each"}:
            statement = node.args[0]
            if not isinstance(statement, ast.Constant) and getattr(statement, "id", "") not in texts:
                yield node


def test_statements_are_constants() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in python_files()
        if path.name not in {"database.py", "sqlite.py", "postgresql.py"}
        for call in variable(ast.parse(path.read_text()))
    ]
    assert found == []
    assert list(variable(ast.parse("_A = 'DELETE FROM t'\nconnection.execute(_A + x)\n")))
    assert list(variable(ast.parse("def f(statement): connection.execute(statement)\n")))
    assert not list(variable(ast.parse("_A = 'DELETE FROM t'\nconnection.execute(_A)\n")))


@pytest.mark.parametrize(
    "line",
    [
        'connection.execute(f"DELETE FROM t WHERE id = {x}")',
        'connection.execute("DELETE FROM t WHERE id = " + x)',
        'connection.execute("DELETE FROM t WHERE id = %s" % x)',
        'connection.execute(text("DELETE FROM t WHERE id = {}".format(x)))',
    ],
)
def test_one_would_be_found(line: str) -> None:
    assert list(composed(ast.parse(line)))


def test_the_linter_looks_too() -> None:
    config = (ROOT / "pyproject.toml").read_text()
    assert '"S"' in config.partition("select = [")[2].partition("]")[0]
    assert "S608" not in config
    allowed = [path for path in python_files() if "S608" in path.read_text()]
    assert allowed == []
