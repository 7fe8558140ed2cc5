"""A private RabbitMQ node for a test run: free ports, a temporary directory, and nothing left behind.

Works as root and as anybody else, beside a broker that the machine already runs, and several times at once.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from tests.processes import Server, accepts, free_port, wait_until

USER = "orderbus-tests"
MEMORY_LIMIT = 2_000_000_000
"""Bytes."""
WHERE_INSTALLED = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",  # Debian, Ubuntu: the wrappers in /usr/sbin insist on their user
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/usr/local/rabbitmq*/sbin",
    "/opt/rabbitmq/sbin",
)
MISSING = (
    "RabbitMQ is not installed. Run scripts/provision tests (or: apt-get install rabbitmq-server, brew install "
    "rabbitmq), or set ORDERBUS_TEST_BROKER_URL to a broker that has the management plugin."
)


def installed() -> Path | None:
    """Return the directory of the installed RabbitMQ's own scripts, the newest first."""
    for pattern in WHERE_INSTALLED:
        found = sorted(path for path in Path("/").glob(pattern[1:]) if (path / "rabbitmq-server").exists())
        if found:
            return found[-1]
    return None


class RabbitNode:
    """A RabbitMQ node of its own.

    Parameters
    ----------
    tls:
        Listen on a TLS port as well, with a certificate for ``localhost`` and 127.0.0.1 from a private CA.
    plugins:
        Plugins to enable, e.g. ``rabbitmq_prometheus``; each makes the start slower.
    peer:
        A node whose Erlang cookie and port mapper to share, so that both can form a cluster (see `join`).
    settings:
        Further lines of ``rabbitmq.conf``. Where they load definitions, RabbitMQ makes no user `USER`.
    """

    def __init__(
        self,
        *,
        tls: bool = False,
        plugins: Sequence[str] = (),
        peer: "RabbitNode | None" = None,
        settings: Sequence[str] = (),
    ) -> None:
        scripts = installed()
        if scripts is None:
            pytest.fail(MISSING, pytrace=False)
        self._scripts = scripts
        # Not the user's temporary directory: paths of sockets are short, and macOS' is long.
        self.directory = Path(tempfile.mkdtemp(prefix="orderbus-rabbitmq-", dir="/tmp"))
        self.name = f"orderbus-{secrets.token_hex(4)}@localhost"
        self._plugins = tuple(plugins)
        self._settings = tuple(settings)
        self._tls = tls
        self._peer = peer
        self._password = peer._password if peer else secrets.token_urlsafe(12)
        self._cookie = peer._cookie if peer else secrets.token_hex(16)
        self._epmd: Server | None = None
        self._server: Server | None = None
        self._vhosts = 0
        self.port = self.tls_port = self.prometheus_port = self._distribution_port = self.epmd_port = 0
        self.ca_file = self.directory / "ca.pem"
        if tls:
            self._issue_certificate()

    # The life of the node.

    def start(self, seconds: float = 120.0) -> None:
        """Start the node on its ports (the same after each `stop` or `kill`) and wait until it takes connections."""
        if self.port:
            self._start_epmd()
            self._launch(seconds)
            return
        for attempts_left in (2, 1, 0):
            self._choose_ports()
            try:
                self._start_epmd()
                self._launch(seconds)
            except RuntimeError:  # a port was taken in between
                self.kill()
                self._stop_epmd()
                if not attempts_left:
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop the node in an orderly way; `start` brings it back with its durable contents."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def kill(self) -> None:
        """Kill the node as ``kill -9`` does; `start` brings it back with what it had written."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def restart(self) -> None:
        """Stop the node in an orderly way and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the node: its connections stay open and nothing answers."""
        assert self._server is not None
        self._server.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen node go on."""
        assert self._server is not None
        self._server.send(signal.SIGCONT)

    def close(self) -> None:
        """End the node for good and remove its directory."""
        self.kill()
        self._stop_epmd()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether the node's process runs."""
        return self._server is not None and self._server.running

    @property
    def pid(self) -> int:
        """Process id of the node, for measuring what it uses."""
        assert self._server is not None
        return self._server.pid

    def join(self, other: "RabbitNode") -> None:
        """Make this node, which was made with ``peer=other``, a member of the other node's cluster."""
        self.ctl("stop_app")
        self.ctl("join_cluster", other.name)
        self.ctl("start_app")
        wait_until(lambda: accepts(self.port), "the clustered node takes connections")

    # Where it is.

    def url(self, vhost: str = "/", *, user: str = USER, password: str | None = None, tls: bool = False) -> str:
        """Return the AMQP URL of a virtual host, of the administrator unless a user and password are given."""
        scheme, host, port = ("amqps", "localhost", self.tls_port) if tls else ("amqp", "127.0.0.1", self.port)
        secret = self._password if password is None else password
        return f"{scheme}://{quote(user, safe='')}:{quote(secret, safe='')}@{host}:{port}/{quote(vhost, safe='')}"

    def new_vhost(self) -> str:
        """Make a virtual host and return its URL."""
        self._vhosts += 1
        vhost = f"test-{os.getpid()}-{self._vhosts}"
        self.eval(
            f'rabbit_vhost:add(<<"{vhost}">>, <<"tests">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"{USER}">>, <<"{vhost}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>), ok.'
        )
        return self.url(vhost)

    def delete_vhost(self, url: str) -> None:
        """Delete the virtual host of a URL with all that it holds; its connections are closed."""
        vhost = url.rpartition("/")[2]
        self.eval(f'rabbit_vhost:delete(<<"{vhost}">>, <<"tests">>).')

    def add_user(
        self, name: str, permissions: tuple[str, str, str] = (".*", ".*", ".*"), *, vhost: str, tags: str = ""
    ) -> str:
        """Make a user of one virtual host.

        Parameters
        ----------
        name:
            Name of the user.
        permissions:
            Regular expressions of what it may configure, write and read.
        vhost:
            Virtual host, by its name or by a URL that ends in it.
        tags:
            E.g. ``administrator``.

        Returns
        -------
        str
            URL with which that user connects.
        """
        vhost = vhost.rpartition("/")[2] or "/"
        password = secrets.token_urlsafe(12)
        configure, write, read = (json.dumps(regex) for regex in permissions)
        tag = f"{tags}" if tags else ""
        self.eval(
            f'rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"tests">>), '
            f'rabbit_auth_backend_internal:set_tags(<<"{name}">>, [{tag}], <<"tests">>), '
            f'rabbit_auth_backend_internal:set_permissions(<<"{name}">>, <<"{vhost}">>, '
            f'<<{configure}>>, <<{write}>>, <<{read}>>, <<"tests">>), ok.'
        )
        return self.url(vhost, user=name, password=password)

    # What an operator does to it.

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` (takes a second or two) and return its output.

        Raises
        ------
        RuntimeError
            If it fails, with what it printed.
        """
        return self.tool("rabbitmqctl", "--quiet", *arguments)

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of RabbitMQ's command-line tools on the node and return its output; see `ctl`."""
        return self._run([str(self._scripts / name), "--node", self.name, *arguments])

    def eval(self, expressions: str) -> str:
        """Evaluate Erlang expressions, ended by a full stop, in the node; quick, unlike `ctl`."""
        erl_call = shutil.which("erl_call")
        if erl_call is None:
            return self.ctl("eval", expressions)
        output = self._run([erl_call, "-sname", self.name, "-e"], input_text=f"{expressions}\n")
        if not (answer := re.fullmatch(r"\{ok, (.*)\}\s*", output, re.DOTALL)):
            raise RuntimeError(f"The node refused {expressions}: {output}")
        return answer[1]

    def settle(self) -> None:
        """Write the broker's registers to disk, so that `kill` loses nothing that was confirmed.

        RabbitMQ 3.10 registers a new quorum queue on disk half a second or more after it confirms the declaration: a
        node that is killed in between starts again with the queue and without its messages.
        """
        self.eval("[dets:sync(Table) || Table <- dets:all()], ok.")

    def raise_memory_alarm(self) -> None:
        """Make the broker believe that its memory is full: it blocks every connection that publishes."""
        self.eval("vm_memory_monitor:set_vm_memory_high_watermark(0.0000001), ok.")
        wait_until(lambda: "memory" in self.eval("rabbit_alarm:get_alarms()."), "the memory alarm is raised")

    def clear_memory_alarm(self) -> None:
        """End the memory alarm."""
        self.eval(f"vm_memory_monitor:set_vm_memory_high_watermark({{absolute, {MEMORY_LIMIT}}}), ok.")
        wait_until(lambda: "memory" not in self.eval("rabbit_alarm:get_alarms()."), "the memory alarm is over")

    def close_all_connections(self, vhost: str | None = None) -> None:
        """Close every client's connection (of one virtual host, by name or URL) as an operator can."""
        wanted = "true" if vhost is None else f'V =:= <<"{vhost.rpartition("/")[2] or "/"}">>'
        self.eval(
            '[catch rabbit_networking:close_connection(P, <<"closed by a test">>) || P <- rabbit_networking:'
            f"connections(), [{{vhost, V}}] <- [catch rabbit_networking:connection_info(P, [vhost])], {wanted}], ok."
        )

    # How it is run.

    def _choose_ports(self) -> None:
        self.port, self.tls_port, self.prometheus_port, self._distribution_port = (free_port() for _ in range(4))
        self.epmd_port = self._peer.epmd_port if self._peer else free_port()

    def _environment(self) -> dict[str, str]:
        keep = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "LC_ALL", "TMPDIR"}}
        return keep | {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/opt/homebrew/bin:/usr/local/bin",
            "HOME": str(self.directory),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CTL_DIST_PORT_MIN": "35000",
            "RABBITMQ_CTL_DIST_PORT_MAX": "36000",
            "RABBITMQ_ALLOW_INPUT": "1",  # the script then becomes the node and is no shell around it
            "RABBITMQ_SERVER_START_ARGS": "-noinput -start_epmd false",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +SDcpu 1:1 +SDio 4 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _configuration(self) -> str:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"default_user = {USER}",
            f"default_pass = {self._password}",
            f"vm_memory_high_watermark.absolute = {MEMORY_LIMIT}",
            "disk_free_limit.absolute = 50MB",
            "collect_statistics_interval = 60000",
            "log.file.level = warning",
        ]
        if "rabbitmq_prometheus" in self._plugins:
            lines += [f"prometheus.tcp.port = {self.prometheus_port}", "prometheus.tcp.ip = 127.0.0.1"]
        if self._tls:
            lines += [
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {self.ca_file}",
                f"ssl_options.certfile = {self.directory / 'server.pem'}",
                f"ssl_options.keyfile = {self.directory / 'server.key'}",
                "ssl_options.verify = verify_none",
                "ssl_options.fail_if_no_peer_cert = false",
            ]
        return "\n".join([*lines, *self._settings]) + "\n"

    def _issue_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(self.directory / "server.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self.directory / "server.pem", append=True)

    def _start_epmd(self) -> None:
        """Start the map of node names to ports: one of its own, since the usual one outlives everything."""
        if self._peer is not None or (self._epmd is not None and self._epmd.running):
            return
        epmd = shutil.which("epmd", path=self._environment()["PATH"])
        if epmd is None:  # Homebrew keeps it beside the Erlang run-time system
            root = self._run(["erl", "-noshell", "-eval", "io:put_chars(code:root_dir()), halt()."]).strip()
            epmd = str(next(Path(root).glob("erts-*/bin/epmd")))
        self._epmd = Server(
            [epmd, "-port", str(self.epmd_port), "-address", "127.0.0.1"],
            log=self.directory / "epmd.log",
            env=self._environment(),
            remove=self.directory,
        )
        epmd_server = self._epmd
        wait_until(lambda: accepts(self.epmd_port) or not epmd_server.running, "epmd listens")
        if not epmd_server.running:
            raise RuntimeError(f"epmd did not start: {epmd_server.tail()}")

    def _stop_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd = None

    def _launch(self, seconds: float) -> None:
        (self.directory / "rabbitmq.conf").write_text(self._configuration())
        (self.directory / "enabled_plugins").write_text(f"[{','.join(self._plugins)}].")
        cookie = self.directory / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._cookie)
            cookie.chmod(0o400)
        server = Server(
            [str(self._scripts / "rabbitmq-server")],
            log=self.directory / "output.log",
            env=self._environment(),
            remove=self.directory,
        )
        self._server = server
        wait_until(lambda: accepts(self.port) or not server.running, "RabbitMQ takes connections", seconds=seconds)
        if not server.running:
            logs = "".join(path.read_text()[-3000:] for path in (self.directory / "log").glob("*.log"))
            raise RuntimeError(f"RabbitMQ did not start: {server.tail()} {logs}")

    def _run(self, command: list[str], input_text: str | None = None, *, seconds: float = 30.0) -> str:
        """Run a tool to its end; again for a while, where it could not reach the node and so did nothing."""
        deadline = time.monotonic() + seconds
        while (done := self._ended(command, input_text)).returncode:
            if "failed to connect to node" not in done.stderr or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
            time.sleep(0.2)
        return done.stdout

    def _ended(self, command: list[str], input_text: str | None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            input=input_text,
            stdin=None if input_text is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=120,
            check=False,
        )
