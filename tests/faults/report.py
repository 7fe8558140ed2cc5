"""The tables of one or several runs, in Markdown."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tests.faults.invariants import MISSING_CONTACT
from tests.faults.recovery import Awaited, Rush
from tests.faults.run import Outcome

KINDS = ("processes", "broker", "sap", "magento", "messages")
FOUND: Mapping[str, Sequence[str]] = {
    "lost": ("lost",),
    "duplicated": ("duplicated", "customers"),
    "unacknowledged": ("unacknowledged", "flag", "contacts", MISSING_CONTACT, "accounts"),
    "stuck": ("stuck",),
}
"""Kinds of violations by column; the others are counted together."""
BACK: Mapping[str, Awaited] = {"broker back": "broker", "ECC back": "ECC", "publisher back": "publisher"}
"""What was waited for, by column: median and longest, in seconds from a fault's end, other faults or not."""
COLUMNS = (
    *("seed", "registration", "orders", *KINDS, *FOUND, "other", "dead-lettered", "crash points fired"),
    *(*BACK, "quiet after", "repeat with"),
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a table: a line for each run and, where there are several, one of all together; times in seconds."""
    rows = [list(COLUMNS), *(_row([outcome], str(outcome.seed)) for outcome in outcomes)]
    if len(outcomes) > 1:
        rows.append(_row(outcomes, "all"))
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def _row(outcomes: Sequence[Outcome], name: str) -> list[str]:
    found = Counter(violation.kind for outcome in outcomes for violation in outcome.violations)
    alone = outcomes[0] if len(outcomes) == 1 else None

    def total(of: Callable[[Outcome], int]) -> int:
        return sum(map(of, outcomes))

    return [
        name,
        alone.registration if alone else "",
        str(total(lambda outcome: outcome.orders)),
        *(str(total(lambda outcome, kind=kind: outcome.faults.get(kind, Counter()).total())) for kind in KINDS),  # type: ignore[misc]
        *(str(sum(found.pop(kind, 0) for kind in kinds)) for kinds in FOUND.values()),
        str(found.total()),
        f"{total(lambda outcome: outcome.dead_lettered)} ({total(lambda outcome: outcome.sent_again)} sent again)",
        f"{total(lambda outcome: outcome.crashes)} of {total(lambda outcome: outcome.armed)}",
        *(_span(outcomes, of) for of in BACK.values()),
        f"{max(outcome.quiet_after for outcome in outcomes):.0f}",
        f"`{alone.command}`" if alone and alone.command else "",
    ]


def _span(outcomes: Sequence[Outcome], of: Awaited) -> str:
    seconds = sorted(one.seconds for outcome in outcomes for one in outcome.returns if one.of == of and one.over)
    return f"{seconds[len(seconds) // 2]:.1f} / {seconds[-1]:.1f}" if seconds else "-"


def details(outcome: Outcome) -> str:
    """Return the faults by name, and what was wrong."""
    lines = []
    for kind in KINDS:
        names = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.get(kind, Counter()).items()))
        if names:
            lines.append(f"{kind}: {names}")
    if outcome.skipped:
        lines.append("not brought about: " + ", ".join(f"{name} ({count})" for name, count in outcome.skipped.items()))
    lines += _rushes(outcome)
    if outcome.exits:
        lines.append("ended by themselves: " + ", ".join(f"{name} ({n})" for name, n in sorted(outcome.exits.items())))
    if outcome.to_repair:
        found = ", ".join(f"{kind} {count}" for kind, count in outcome.healed.items()) or "nothing"
        lines.append(f"reconciled after {', '.join(outcome.to_repair)}; that healed: {found}")
    lines.append(f"took {outcome.took:.0f} s")
    lines += [f"VIOLATION {violation.kind}: {violation.what}" for violation in outcome.violations]
    return "\n".join(lines)


def _rushes(outcome: Outcome) -> list[str]:
    most: dict[str, Rush] = {}
    for rush in outcome.rushes:
        most[rush.of] = max(most.get(rush.of, rush), rush, key=lambda one: one.seen - one.may)
    return [f"most {of} after a return: {rush.seen} (at most {rush.may})" for of, rush in most.items()]
