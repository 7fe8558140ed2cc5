"""The table of one or several runs."""

from collections import Counter
from collections.abc import Sequence

from tests.faults.run import Outcome

KINDS = ("processes", "broker", "sap", "magento", "messages")
LOST = ("lost",)
DUPLICATED = ("duplicated", "customers")
UNACKNOWLEDGED = ("unacknowledged", "flag", "contacts", "accounts")
STUCK = ("stuck",)
COLUMNS = (
    "seed",
    "orders",
    *KINDS,
    "lost",
    "duplicated",
    "unacknowledged",
    "stuck",
    "other",
    "dead-lettered",
    "broker back",
    "ECC back",
    "quiet after",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a table in Markdown, a line for each run; times in seconds."""
    rows = [list(COLUMNS), *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def _row(outcome: Outcome) -> list[str]:
    found = Counter(violation.kind for violation in outcome.violations)

    def count(kinds: Sequence[str]) -> str:
        return str(sum(found.pop(kind, 0) for kind in kinds))

    return [
        str(outcome.seed),
        str(outcome.orders),
        *(str(outcome.faults.get(kind, Counter()).total()) for kind in KINDS),
        count(LOST),
        count(DUPLICATED),
        count(UNACKNOWLEDGED),
        count(STUCK),
        str(found.total()),
        f"{outcome.dead_lettered} ({outcome.sent_again} sent again)",
        _span(outcome.broker_back),
        _span(outcome.ecc_back),
        f"{outcome.quiet_after:.0f}",
    ]


def _span(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    middle = sorted(seconds)[len(seconds) // 2]
    return f"{middle:.1f} (most {max(seconds):.1f})"


def details(outcome: Outcome) -> str:
    """Return the faults by name, and what was wrong."""
    lines = []
    for kind in KINDS:
        names = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.get(kind, Counter()).items()))
        if names:
            lines.append(f"{kind}: {names}")
    if outcome.skipped:
        lines.append("not brought about: " + ", ".join(f"{name} ({count})" for name, count in outcome.skipped.items()))
    lines.append(f"died at crash points: {outcome.crashes}")
    if outcome.exits:
        lines.append("ended by themselves: " + ", ".join(f"{name} ({n})" for name, n in sorted(outcome.exits.items())))
    if outcome.to_repair:
        found = ", ".join(f"{kind} {count}" for kind, count in outcome.healed.items()) or "nothing"
        lines.append(f"reconciled after {', '.join(outcome.to_repair)}; that healed: {found}")
    lines.append(f"took {outcome.took:.0f} s")
    lines += [f"VIOLATION {violation.kind}: {violation.what}" for violation in outcome.violations]
    return "\n".join(lines)
