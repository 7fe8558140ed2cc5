"""A private PostgreSQL cluster for a test run: free port, a temporary directory, and nothing left behind."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
import trustme
from psycopg import sql

from tests.processes import Server, free_port, wait_until

USER = "orderbus"
WHERE_INSTALLED = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
MISSING = (
    "PostgreSQL is not installed. Run scripts/provision tests (or: apt-get install postgresql, brew install "
    "postgresql@17)."
)


def installed() -> Path | None:
    """Return the directory of the installed PostgreSQL's programs, of the newest version."""
    found = [path for where in WHERE_INSTALLED for path in Path("/").glob(where[1:]) if (path / "initdb").exists()]
    if found:
        return max(
            found,
            key=lambda path: [
                int(part) for part in "".join(letter if letter.isdigit() else " " for letter in str(path)).split()
            ],
        )
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _unprivileged_user() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.fail("PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody.")


class PostgresCluster:
    """A PostgreSQL server of its own, with password authentication, on 127.0.0.1.

    Parameters
    ----------
    password:
        Of the user `USER`; by default one of its own.
    tls:
        Take TLS connections, with a certificate for ``localhost`` and 127.0.0.1 from a private CA, and no others.
    settings:
        Further settings of ``postgresql.conf``.
    """

    def __init__(self, *, password: str = "", tls: bool = False, **settings: str) -> None:
        programs = installed()
        if programs is None:
            pytest.fail(MISSING, pytrace=False)
        self._programs = programs
        self._user = _unprivileged_user()
        self._password = password or secrets.token_urlsafe(12)
        self._settings = settings
        # Not the user's temporary directory: the path of a socket has at most 103 characters on macOS.
        self.directory = Path(tempfile.mkdtemp(prefix="orderbus-postgres-", dir="/tmp"))
        self.data = self.directory / "data"
        self.port = 0
        self._server: Server | None = None
        self._databases = 0
        password_file = self.directory / "password"
        password_file.write_text(self._password)
        self._give_away(self.directory, password_file)
        subprocess.run(
            [
                str(programs / "initdb"),
                *("--pgdata", str(self.data), "--username", USER, "--pwfile", str(password_file)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        self.ca_file = self.directory / "ca.pem"
        if tls:
            self._issue_certificate()

    def start(self) -> None:
        """Start the server, on the same port each time, and wait until it takes connections."""
        chosen = self.port
        for attempts_left in (2, 1, 0):
            self.port = chosen or free_port()
            settings = {
                "port": str(self.port),
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": str(self.directory),
                "fsync": "off",  # a crash of the machine may lose the data of a test
                "max_connections": "200",
            } | self._settings
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            server = self._server = Server(
                [str(self._programs / "postgres"), "-D", str(self.data), *options],
                log=self.directory / "output.log",
                user=self._user,
                remove=self.directory,
            )
            wait_until(lambda: self._answers() or not server.running, "PostgreSQL takes connections", every=0.02)  # noqa: B023 - asked before the next round
            if server.running:
                return
            if chosen or not attempts_left:
                raise RuntimeError(f"PostgreSQL did not start: {server.tail()}")

    def stop(self) -> None:
        """Stop the server and close its clients' connections; `start` brings it back."""
        if self._server is not None:
            self._server.terminate(number=signal.SIGINT)
            self._server = None

    def kill(self) -> None:
        """Kill the server as ``kill -9`` does."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def close(self) -> None:
        """End the server for good and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of a database for psycopg."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make a database and return its URL."""
        self._databases += 1
        name = f"test_{os.getpid()}_{self._databases}"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def delete_database(self, url: str) -> None:
        """Drop the database of a URL; its connections are closed."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _issue_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        chain, key = self.data / "server.crt", self.data / "server.key"
        certificate.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(chain, append=True)
        rules = self.data / "pg_hba.conf"
        rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        self._give_away(chain, key, rules)
        self._settings = {"ssl": "on"} | self._settings

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _give_away(self, *paths: Path) -> None:
        if self._user:
            for path in paths:
                shutil.chown(path, self._user)
