"""That every break can still be made; whether it is caught is for ``make broken`` to see, which takes minutes."""

import ast
from pathlib import Path

import pytest

from tests.broken.breaks import BREAKS, Break

ROOT = Path(__file__).resolve().parents[2]


def functions(path: Path) -> set[str]:
    """Return the names of a test file's tests: ``test_x`` and ``TestClass::test_x``."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            names |= {f"{owner.name}::{node.name}" for node in owner.body if isinstance(node, kinds)}
    return names


@pytest.mark.parametrize("one", BREAKS, ids=[one.name for one in BREAKS])
def test_a_break_applies_and_has_a_test(one: Break) -> None:
    source = (ROOT / one.file).read_text()
    assert source.count(one.old) == 1
    compile(source.replace(one.old, one.new), one.file, "exec")
    file, _, name = one.test.partition("::")
    assert name in functions(ROOT / file)


def test_names_are_unique() -> None:
    assert len({one.name for one in BREAKS}) == len(BREAKS)
