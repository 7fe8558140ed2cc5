"""The command line as child processes, and simulators for it to talk to."""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orderbus.cli import status_of
from tests.databases import postgres_database
from tests.processes import Server, free_port, wait_until

__all__ = ["postgres_database"]

ROOT = Path(__file__).parents[2]
CONFIGURATION = """
[broker]
url = "{broker}"
start_timeout = 2.0
[database]
url = "sqlite:///{directory}/bus.db"
[http]
port = 0
[magento]
url = "{magento}"
[magento.auth]
type = "oauth1"
consumer_key = "orderbusconsumerkey0000000000001"
consumer_secret = "orderbusconsumersecret0000000001"
access_token = "orderbusaccesstoken0000000000001"
access_token_secret = "orderbustokensecret0000000000001"
[router]
default_customer = "99999"
[ecc]
connection = {{ type = "simulator", url = "{ecc}", passwd = "simulator" }}
[ecc.default]
sales_org = "1000"
distribution_channel = "10"
division = "00"
document_type = "TA"
conditions = {{ price = {{ type = "ZPRF" }}, discount = {{ type = "RB00" }}, freight = {{ type = "HD00" }} }}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Server]


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what would configure orderbus."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ORDERBUS_")}
    paths = filter(None, (str(ROOT), plain.get("PYTHONPATH")))
    return plain | {"PYTHONPATH": os.pathsep.join(paths)} | variables


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command to its end, in a directory of its own.

    Services and simulators run as child processes; what is over at once runs here, which is quicker.
    """

    def here(arguments: tuple[str, ...], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.chdir(tmp_path)
            for name, value in variables.items():
                patch.setenv(name, value)
            status = status_of(arguments)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] not in {"run", "simulate"}:
            return here(arguments, variables)
        return subprocess.run(
            [sys.executable, "-m", "orderbus", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            env=clean_environment(**variables),
        )

    for name in [name for name in os.environ if name.startswith("ORDERBUS_")]:
        monkeypatch.delenv(name)
    return call


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts a command that goes on; what still runs is killed at the end."""
    started: list[Server] = []

    def call(*arguments: str, **variables: str) -> Server:
        log = tmp_path / f"process-{len(started)}.log"
        server = Server([sys.executable, "-m", "orderbus", *arguments], log=log, env=clean_environment(**variables))
        started.append(server)
        return server

    yield call
    for server in started:
        server.kill()


class Systems:
    """Both simulators, each a process."""

    def __init__(self, directory: Path) -> None:
        self._servers = [self._start(directory, "magento"), self._start(directory, "ecc")]
        self.magento, self.ecc = (_url(server) for server in self._servers)

    def _start(self, directory: Path, which: str) -> Server:
        command = [sys.executable, "-m", "orderbus", "simulate", which, "--port", "0"]
        return Server(command, log=directory / f"{which}.log", env=clean_environment())

    def stop(self) -> None:
        """Stop both."""
        for server in self._servers:
            server.terminate()


def _url(server: Server) -> str:
    pattern = r"Listening on (http://\S+)\n"
    wait_until(lambda: re.search(pattern, server.tail()) or not server.running, "the simulator listens")
    found = re.search(pattern, server.tail())
    assert found, server.tail()
    return found[1]


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """Both simulators."""
    both = Systems(tmp_path_factory.mktemp("simulators"))
    yield both
    both.stop()


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a configuration and names its file; by default nothing that it names is there."""

    def write(*, broker: str = "memory://", systems: Systems | None = None) -> str:
        absent = f"http://127.0.0.1:{free_port()}"
        path = tmp_path / "orderbus.toml"
        text = CONFIGURATION.format(
            broker=broker,
            directory=tmp_path,
            magento=systems.magento if systems else absent,
            ecc=systems.ecc if systems else absent,
        )
        path.write_text(text)
        return str(path)

    return write
