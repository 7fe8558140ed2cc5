"""How a sweep is told: as lines and a table of counts for people, or as one JSON object for scripts.

Both write each finding when it is found, so that a long list takes no memory.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import click
import msgspec

from orderbus.commands.options import print_table
from orderbus.reconciliation.compare import FINE, KINDS, CustomerRef, Finding
from orderbus.reconciliation.sweep import Window
from schemas.order import OrderRef


class Report(Protocol):
    """What is told of a sweep, in this order."""

    def begin(self, window: Window) -> None:
        """Say what is compared."""

    def found(self, findings: Sequence[Finding], repaired: Mapping[Finding, str]) -> None:
        """Tell findings, and with which message each was healed, by routing key."""

    def end(self, counts: Counter[str], remaining: int) -> None:
        """Sum up; `remaining` findings are not fine and were not healed."""


class Lines:
    """For people."""

    def __init__(self, *, repairing: bool) -> None:
        self._repairing = repairing
        self._repaired: Counter[str] = Counter()

    def begin(self, window: Window) -> None:
        """Say what is compared."""
        span = f"{window.since:%Y-%m-%d %H:%M:%SZ} to {window.until:%Y-%m-%d %H:%M:%SZ}"
        click.echo(f"Orders placed and customers registered from {span}.")

    def found(self, findings: Sequence[Finding], repaired: Mapping[Finding, str]) -> None:
        """Print a line for each finding."""
        self._repaired.update(repaired.values())
        for finding in findings:
            line = f"{finding.kind:<27}  {_named(finding.ref)}"
            line += f": {finding.detail}" if finding.detail else ""
            if finding in repaired:
                line += f" -> published {repaired[finding]}"
            elif self._repairing:
                line += " -> somebody has to look at it"
            click.echo(line)

    def end(self, counts: Counter[str], remaining: int) -> None:
        """Print the counts by kind."""
        kinds = [kind for kind in KINDS if counts[kind]]
        if kinds:
            click.echo()
            print_table(("COUNT", "STANDING", ""), ((f"{counts[kind]:>6}", kind, KINDS[kind]) for kind in kinds))
        healed = sum(self._repaired.values())
        if healed:
            messages = ", ".join(f"{count} by {key}" for key, count in sorted(self._repaired.items()))
            click.echo(f"Healing is under way for {healed} findings: {messages}. Run it again in a while.")
            click.echo("What comes back again and again likely ended in a dead-letter queue: `orderbus dead list`.")
        elif not remaining:
            click.echo("Nothing to do.")
        if remaining and not self._repairing:
            click.echo(f"{remaining} findings. `orderbus reconcile --repair` heals what can be healed.")
        elif remaining:
            click.echo(f"{remaining} findings remain that somebody has to look at.")


class Json:
    """For scripts: one object, written piece by piece."""

    def __init__(self) -> None:
        self._separator = "\n"
        self._repaired = 0

    def begin(self, window: Window) -> None:
        """Open the object."""
        head = msgspec.json.encode({"since": window.since, "until": window.until}).decode()
        click.echo(f'{head[:-1]},"findings":[', nl=False)

    def found(self, findings: Sequence[Finding], repaired: Mapping[Finding, str]) -> None:
        """Write findings as elements of a list."""
        self._repaired += len(repaired)
        for finding in findings:
            element = {
                "kind": finding.kind,
                **_fields(finding.ref),
                "detail": finding.detail,
                "repairable": finding.repair is not None,
                "published": repaired.get(finding),
            }
            click.echo(self._separator + msgspec.json.encode(element).decode(), nl=False)
            self._separator = ",\n"

    def end(self, counts: Counter[str], remaining: int) -> None:
        """Close the object."""
        numbers = {kind: counts[kind] for kind in KINDS}
        tail = {"counts": numbers, "repaired": self._repaired, "remaining": remaining}
        click.echo(f"\n],{msgspec.json.encode(tail).decode()[1:]}")


def _named(ref: OrderRef | CustomerRef) -> str:
    if isinstance(ref, OrderRef):
        return f"{ref.correlation_id} (id {ref.order_id})"
    return f"customer {ref.number[:10]}" + (f" (account {ref.account_id})" if ref.account_id else "")


def _fields(ref: OrderRef | CustomerRef) -> dict[str, str | None]:
    """Return what names an order or a customer; all names are always there, so that a script need not ask first."""
    if isinstance(ref, OrderRef):
        order = {"store": ref.store, "increment_id": ref.increment_id, "order_id": ref.order_id}
        return {**order, "sap_customer_number": None, "account_id": None}
    customer = {"sap_customer_number": ref.number, "account_id": ref.account_id}
    return {"store": None, "increment_id": None, "order_id": None, **customer}


def telling(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are worth telling one by one."""
    return [finding for finding in findings if finding.kind not in FINE]
