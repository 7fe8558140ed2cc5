"""The compose file, and the secrets made for it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.files import COMPOSE, ROOT


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """Return the compose file."""
    document: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return document


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of secrets, made as ``make secrets`` makes them."""
    directory = tmp_path_factory.mktemp("compose") / "secrets"
    command = [sys.executable, str(COMPOSE / "make_secrets.py"), "--directory", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env={"PYTHONPATH": str(ROOT)})
    return directory
