"""Servers that a test run starts: free ports, waiting, and processes that cannot outlive the run."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on.

    Taken from below the range that the kernel gives to outgoing connections, so that none takes it meanwhile.
    """
    while True:
        port = random.randint(15_000, 32_000)  # another process may pick the same: servers that fail start again
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def accepts(port: int) -> bool:
    """Whether something accepts connections on a port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 60.0, every: float = 0.05) -> None:
    """Wait for a condition.

    Parameters
    ----------
    condition:
        Called until it returns something true.
    what:
        Names the condition in the error text.
    seconds:
        How long to wait at most, generous since machines are slow at times.
    every:
        Seconds between two calls.

    Raises
    ------
    TimeoutError
        If the condition did not become true.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:g} s: {what} did not come true.")
        time.sleep(every)


class Server:
    """A server process with all its children, tied to the life of this process.

    Parameters
    ----------
    command:
        Command line.
    log:
        File that takes its output.
    env:
        Environment; this process's own by default.
    user:
        User to run as, where this process is root.
    remove:
        Directory to remove should this process die without stopping the server.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        remove: Path | None = None,
    ) -> None:
        with log.open("ab") as output:
            self._tether = subprocess.Popen(
                [sys.executable, "-I", "-S", str(TETHER), user or "", str(remove or ""), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=env,
                start_new_session=True,
                cwd="/",
            )
        self.log = log
        assert self._tether.stdout is not None
        first_line = self._tether.stdout.readline()
        if not first_line:
            raise RuntimeError(f"Could not start {command[0]}: {self.tail()}")
        self.pid = int(first_line)

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._tether.poll() is None

    def tail(self, size: int = 2000) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-size:]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for its end and return its exit status."""
        return self._tether.wait(seconds)

    def kill(self) -> None:
        """Kill it and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def terminate(self, seconds: float = 60.0, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end, and kill it if it has not after a while."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        try:
            self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
