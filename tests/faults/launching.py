"""The system as the fault suite starts it: of any tree, several services to a process, and services that crash."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.processes import Server, free_port
from tests.stack import Stack

RECONCILIATION = """
[reconcile]
grace = 0
"""
"""Whoever reconciles in a run does so when nothing is on its way."""


class FaultStack(Stack):
    """The system, of which any tree may be the code and any service may be one that crashes.

    Parameters
    ----------
    tree:
        The code to run; the one that this file belongs to by default.
    """

    def __init__(self, *arguments: Any, tree: Path | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.groups: dict[str, tuple[str, ...]] = {}
        """Services that run in one process, by the name of that process; others run in one of their own."""
        self.tree = tree or Path(__file__).resolve().parent.parent.parent
        with self.config.open("a") as config:
            config.write(RECONCILIATION)

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "PYTHONPATH": str(self.tree)}

    def start(self, service: str) -> None:
        """Start a service, or a group of them, as a process of its own."""
        self._launch(service, "-m", "orderbus")

    def start_crashing(self, service: str, point: str, nth: int, parts: Sequence[str]) -> None:
        """Start a service that kills itself when it passes a point (see `tests.faults.crashing`) for the nth time."""
        mark = self.mark(service)
        mark.unlink(missing_ok=True)
        options = ("--of", *parts, "--at", point, "--nth", str(nth), "--mark", str(mark))
        self._launch(service, "-m", "tests.faults.crashing", *options)

    def mark(self, service: str) -> Path:
        """Return the file that a service leaves when it kills itself."""
        return self.directory / f"{service}.crashed"

    def names(self, process: str) -> tuple[str, ...]:
        """Return the services that a process runs."""
        return self.groups.get(process, (process.partition("#")[0],))

    def _launch(self, process: str, *launcher: str) -> None:
        port = self.http_ports.setdefault(process, free_port())
        names = self.names(process)
        command = [sys.executable, *launcher, "run", *names, "--config", str(self.config), "--http-port", str(port)]
        self.processes[process] = Server(command, log=self.directory / f"{process}.log", env=self._environment())
