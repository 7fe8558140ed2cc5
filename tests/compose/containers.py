"""What the compose file starts, as local processes: commands, environment, order and health checks are its own.

Addresses are mapped to free ports of the loopback interface, and paths in a container to a directory of the test's.
Private servers with the same configuration stand in for the images of RabbitMQ and PostgreSQL; Prometheus is left out.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import psycopg

from tests.compose.files import COMPOSE, ROOT, environment
from tests.postgres import PostgresCluster, installed
from tests.processes import Server, free_port, wait_until
from tests.rabbitmq import RabbitNode

BROKER, DATABASE, LEFT_OUT = "rabbitmq", "postgres", "prometheus"
_VARIABLE = re.compile(r"^(?:ENV | {4})(ORDERBUS_\w+)=(\S+)", re.MULTILINE)
_HEALTH = re.compile(r"^HEALTHCHECK .*\\\n\s+CMD \[(.*)\]$", re.MULTILINE)


class Containers:
    """The containers of a compose file, started one by one with what they depend on.

    Parameters
    ----------
    compose:
        The compose file.
    secrets:
        Directory that ``make secrets`` filled.
    directory:
        Takes volumes, configuration and every process's output.
    """

    def __init__(self, compose: dict[str, Any], secrets: Path, directory: Path) -> None:
        self._services: dict[str, dict[str, Any]] = compose["services"]
        self._secrets = secrets
        self.directory = directory
        dockerfile = (COMPOSE / "Dockerfile").read_text()
        self._image_environment = dict(_VARIABLE.findall(dockerfile))
        self._image_health = ["CMD", *re.findall(r'"((?:[^"\\]|\\.)*)"', _HEALTH.findall(dockerfile)[0])]
        self._servers: dict[str, Server] = {}
        self._done: set[str] = set()
        self.broker: RabbitNode | None = None
        self.database: PostgresCluster | None = None
        self._ports: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """Every container that is started, in the order of the file."""
        return [name for name in self._services if name != LEFT_OUT]

    def up(self) -> None:
        """Start all, and wait until every health check is answered."""
        for name in self.names:
            self.start(name)
        for name in self.names:
            if name not in self._done:
                self.wait_healthy(name)

    def start(self, name: str) -> None:
        """Start a container once what it depends on is as it wants."""
        if name in self._servers or name in self._done or (name, bool(self.broker)) == (BROKER, True):
            return
        for other, wanted in self._services[name].get("depends_on", {}).items():
            self.start(other)
            if wanted["condition"] == "service_healthy":
                self.wait_healthy(other)
            else:
                assert wanted["condition"] == "service_completed_successfully"
                self._wait_done(other)
        if name == BROKER:
            self._start_broker()
        elif name == DATABASE:
            self._start_database()
        else:
            self._servers[name] = self._process(name, self._services[name]["command"])

    def run(self, name: str, *command: str) -> str:
        """Run an ``orderbus`` command with what a container is told, and return what it printed."""
        log = self.directory / f"{name}-{len(list(self.directory.iterdir()))}.log"
        server = self._process(name, command, log)
        assert server.wait(120) == 0, server.tail()
        return log.read_text()

    def wait_ready(self, name: str) -> None:
        """Wait until a service says that it is ready."""

        def ready() -> bool:
            server = self._servers[name]
            assert server.running, f"{name} ended: {server.tail()}"
            with contextlib.suppress(URLError), urllib.request.urlopen(f"{self.url(name)}/readyz", timeout=10):
                return True
            return False

        wait_until(ready, f"{name} is ready", every=0.2)

    def output(self, name: str) -> str:
        """Return what a container has printed."""
        return (self.directory / f"{name}.log").read_text()

    def url(self, name: str, port: int = 8080) -> str:
        """Return where a container's port is."""
        return f"http://127.0.0.1:{self.port(name, port)}"

    def port(self, name: str, port: int) -> int:
        """Return the local port that stands for one of a container's."""
        return self._ports.setdefault(f"{name}:{port}", free_port())

    def close(self) -> None:
        """End everything."""
        for server in self._servers.values():
            server.kill()
        for private in (self.broker, self.database):
            if private is not None:
                private.close()

    def wait_healthy(self, name: str) -> None:
        """Wait until a container's own health check is answered."""
        check = self._services[name].get("healthcheck", {}).get("test", self._image_health)

        def healthy() -> bool:
            server = self._servers.get(name)
            assert server is None or server.running, f"{name} ended: {server.tail()}"
            return self._healthy(name, check)

        wait_until(healthy, f"the health check of {name} is answered", every=0.2)

    def _healthy(self, name: str, check: list[str]) -> bool:
        kind, *command = check
        if name == BROKER:
            assert self.broker is not None
            self.broker.tool(*command)
            return True
        variables = self._environment(name)
        if name == DATABASE:
            assert kind == "CMD-SHELL"
            assert self.database is not None
            programs = installed()
            variables |= {"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": "127.0.0.1"}
            variables |= {"PGPORT": str(self.database.port)}
            command = ["sh", "-c", command[0].replace("$$", "$")]
        elif command[0] == "python":
            command = [sys.executable, *(self._mapped(part, name) for part in command[1:])]
        done = subprocess.run(command, env=variables, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def _wait_done(self, name: str) -> None:
        if name not in self._done:
            server = self._servers.pop(name)
            assert server.wait(120) == 0, f"{name}: {server.tail()}"
            self._done.add(name)

    def _start_broker(self) -> None:
        definitions = self._mount(BROKER, "/etc/rabbitmq/definitions.json")
        given = self._mount(BROKER, "/etc/rabbitmq/conf.d/50-orderbus.conf").read_text()
        settings = given.replace("/etc/rabbitmq/definitions.json", str(definitions)).splitlines()
        # Its management plugin serves people; what Prometheus asks is asked here too.
        self.broker = RabbitNode(settings=settings, plugins=["rabbitmq_prometheus"])
        self.broker.start()
        self._ports |= {"rabbitmq:5672": self.broker.port, "rabbitmq:15692": self.broker.prometheus_port}

    def _start_database(self) -> None:
        told = environment(self._services[DATABASE], self._secrets)
        assert told["POSTGRES_USER"] == "orderbus"
        self.database = PostgresCluster(password=told["POSTGRES_PASSWORD"])
        self.database.start()
        with psycopg.connect(self.database.dsn(), autocommit=True) as connection:
            connection.execute(
                psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(told["POSTGRES_DB"]))
            )
        self._ports["postgres:5432"] = self.database.port

    def _process(self, name: str, command: list[str] | tuple[str, ...], log: Path | None = None) -> Server:
        (self.directory / name).mkdir(exist_ok=True)
        arguments = [self._mapped(part, name) for part in command]
        return Server(
            [sys.executable, "-m", "orderbus", *arguments],
            log=log or self.directory / f"{name}.log",
            env=self._environment(name),
        )

    def _environment(self, name: str) -> dict[str, str]:
        told = self._image_environment | environment(self._services[name], self._secrets)
        if config := self._mounted(name, told.get("ORDERBUS_CONFIG", "")):
            mapped = self.directory / f"{name}.toml"
            mapped.write_text(self._mapped(config.read_text()))
            told["ORDERBUS_CONFIG"] = str(mapped)
        told = {variable: self._mapped(value) for variable, value in told.items()}
        told["ORDERBUS_HTTP_PORT"] = str(self.port(name, int(told["ORDERBUS_HTTP_PORT"])))
        return told | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

    def _mount(self, name: str, path: str) -> Path:
        """Return the file that a container sees under a path."""
        found = self._mounted(name, path)
        assert found, f"{name} has nothing at {path}"
        return found

    def _mounted(self, name: str, path: str) -> Path | None:
        for mount in self._services[name].get("volumes", []):
            source, target, *_ = mount.split(":")
            if target == path:
                return self._secrets / Path(source).name if source.startswith("./secrets/") else COMPOSE / source
        return None

    def _mapped(self, text: str, name: str = "") -> str:
        """Return a text with addresses as they are here; in a container's own words, localhost is the container."""
        hosts = [*self._services, *(["127.0.0.1"] if name else [])]
        address = re.compile(rf"(?<=[/@])({'|'.join(map(re.escape, hosts))}):(\d+)(?=[/\s\"']|$)")

        def mapped(match: re.Match[str]) -> str:
            host = match[1] if match[1] in self._services else name
            return f"127.0.0.1:{self.port(host, int(match[2]))}"

        text = address.sub(mapped, text)
        if text.isdigit() and name:
            return str(self.port(name, int(text)))
        return text.replace("/var/lib/orderbus", shlex.quote(str(self.directory / name)))
