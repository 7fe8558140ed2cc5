"""A run: orders are placed without end, faults come and go, all heals and quietens, and the invariants are checked."""

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.error import URLError

from msgspec import Struct, field

from tests.faults import broker, ending, messages, processes, sap, shop, state
from tests.faults.bench import Bench
from tests.faults.feeding import AT_ONCE, Feeder
from tests.faults.invariants import MISSING_CONTACT, Violation
from tests.faults.people import People
from tests.faults.plan import Entry, Fault, plan
from tests.faults.recovery import Awaited, Return, Rush, Watch
from tests.processes import wait_until

CATALOGUE: Mapping[str, Sequence[Entry]] = {
    "processes": processes.CATALOGUE,
    "broker": broker.CATALOGUE,
    "sap": sap.CATALOGUE,
    "magento": shop.CATALOGUE,
    "messages": messages.CATALOGUE,
}
"""Every fault by its kind."""
CONTACTS_DELETED = "queue of contacts deleted"
HINDERS: Mapping[Awaited, frozenset[str]] = {
    "broker": frozenset({"processes", "broker"}),
    "ECC": frozenset(CATALOGUE),
    "publisher": frozenset(CATALOGUE),
}
"""Kinds of faults that, while they last, stand in the way of a recovery."""
AHEAD = 3
"""How many faults' worth of orders may be placed before a fault that is due has come about."""


class Outcome(Struct, kw_only=True):
    """What came of a run."""

    seed: int
    registration: str = "automatic"
    command: str = ""
    """What repeats the run."""
    orders: int = 0
    faults: dict[str, Counter[str]] = field(default_factory=dict)
    """Injected ones by kind and name."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Those that could not be brought about."""
    dead_lettered: int = 0
    """Dead letters when all was quiet for the first time."""
    sent_again: int = 0
    """Of these, those that a person would send again, and that were sent again."""
    to_repair: list[str] = field(default_factory=list)
    """Why `orderbus reconcile --repair` was run."""
    healed: Counter[str] = field(default_factory=Counter)
    """What that found: steps of orders whose event had missed the deleted queue."""
    armed: int = 0
    """Crash points armed."""
    crashes: int = 0
    """Of these, those that fired."""
    exits: Counter[str] = field(default_factory=Counter)
    returns: list[Return] = field(default_factory=list)
    rushes: list[Rush] = field(default_factory=list)
    quiet_after: float = 0.0
    """Seconds from the last fault's end, and the last order, until nothing was on its way."""
    took: float = 0.0
    violations: list[Violation] = field(default_factory=list)


class Running(Struct):
    """A fault that lasts."""

    fault: Fault
    entry: Entry
    heal: Callable[[], None]


class Run:
    """One run on a bench that has been started.

    Parameters
    ----------
    orders:
        How many are placed, beside those that ECC cannot take.
    report:
        Told what happens, a line at a time.
    rate:
        Orders per second.
    """

    def __init__(self, bench: Bench, seed: int, orders: int, report: Callable[[str], None], rate: float = 8.0) -> None:
        self._bench = bench
        self._orders = orders
        self._rate = rate
        self._report = report
        self.outcome = Outcome(seed=seed, registration=bench.registration)
        self._running: list[tuple[float, int, Running]] = []
        self._numbers = itertools.count()
        self._watch = Watch(bench)

    def go(self, faults: Sequence[Fault]) -> Outcome:
        """Feed, inject, heal, wait and check."""
        bench, outcome = self._bench, self.outcome
        began = time.monotonic()
        feeder = bench.feeder = Feeder(bench.stack.shop_url, self._orders, outcome.seed, self._rate)
        people = People(bench.stack) if bench.registration == "manual" else None
        try:
            ending.listen(bench)
            feeder.open_accounts()
            feeder.start()
            self._inject(feeder, faults)
            while self._running:
                self._turn()
            self._report("healing")
            bench.heal()
            feeder.allow(self._orders + AT_ONCE)
            while not feeder.done:
                self._turn()
            healed = time.monotonic()
            for service in bench.services:
                wait_until(lambda service=service: self._up(service), f"{service} is ready", seconds=120)  # type: ignore[misc]
            self._settled()
            outcome.quiet_after = time.monotonic() - healed
            self._watch.close()
            self._operate()
            self._check()
        finally:
            self._watch.close()
            feeder.close()
            if people is not None:
                people.close()
        outcome.took = time.monotonic() - began
        return outcome

    # Faults

    def _inject(self, feeder: Feeder, faults: Sequence[Fault]) -> None:
        for fault in faults:
            ahead = AHEAD * max(1, self._orders // (len(faults) + 1))
            feeder.allow(min(fault.after + ahead + AT_ONCE, self._orders))
            entry = next(entry for entry in CATALOGUE[fault.kind] if entry.name == fault.name)
            while len(feeder.placed) < fault.after or self._occupied(entry):
                self._turn()
                _ = feeder.done
            self._bring_about(fault, entry)

    def _occupied(self, entry: Entry) -> bool:
        return bool(entry.alone) and any(one.entry.alone == entry.alone for _, _, one in self._running)

    def _bring_about(self, fault: Fault, entry: Entry) -> None:
        try:
            healing = entry.inject(self._bench, random.Random(fault.seed))
        except Exception as problem:  # noqa: BLE001 - a fault may be in the way of another; that is counted
            self.outcome.skipped[f"{fault.name}: {type(problem).__name__}"] += 1
            self._report(f"{fault.number:4} {fault.kind}: {fault.name} could not be brought about: {problem!r:.200}")
            return
        if fault.kind == "broker":
            self._watch.broker_left()
        self.outcome.faults.setdefault(fault.kind, Counter())[fault.name] += 1
        self._report(f"{fault.number:4} {fault.kind}: {fault.name}")
        if healing is not None:
            running = Running(fault, entry, healing.heal)
            heapq.heappush(self._running, (time.monotonic() + healing.seconds, next(self._numbers), running))
        elif fault.kind == "broker":
            self._watch.broker_returned()

    def _turn(self) -> None:
        """End the faults that are over, start what has died, and look for what has recovered."""
        while self._running and self._running[0][0] <= time.monotonic():
            over = heapq.heappop(self._running)[2]
            wait_until(lambda: self._healed(over), f"{over.fault.name} ends", seconds=120, every=0.5)  # noqa: B023
            if over.fault.kind == "broker":
                self._watch.broker_returned()
            elif over.fault.name == "shutdown":
                self._watch.ecc_returned()
        self._bench.supervise()
        self._watch.look(self._hindered)
        time.sleep(0.05)

    def _healed(self, over: Running) -> bool:
        try:
            over.heal()
        except (OSError, URLError, RuntimeError) as problem:
            self._report(f"     {over.fault.name} does not end yet: {problem!r:.200}")
            return False
        return True

    def _hindered(self, recovery: Awaited) -> bool:
        lasting = any(one.fault.kind in HINDERS[recovery] for _, _, one in self._running)
        return lasting or bool(self._bench.down())

    # The end

    def _up(self, service: str) -> bool:
        self._bench.supervise()
        self._watch.look(self._hindered)
        return service not in self._bench.not_ready()

    def _settled(self) -> None:
        left = ending.settle(self._bench, seconds=300 + self._orders / 5, look=lambda: self._watch.look(self._hindered))
        if left:
            self._report(f"not quiet: {left!r:.500}")

    def _operate(self) -> None:
        """Do what is left to people: send again what was refused for a reason that has gone."""
        bench, outcome = self._bench, self.outcome
        letters = state.letters(bench)
        outcome.dead_lettered = len(letters)
        again = [letter.id for letter in letters if letter.reason == "permanent" and sap.REFUSAL in letter.message]
        for start in range(0, len(again), 100):
            bench.stack.run("dead", "retry", *again[start : start + 100])
        outcome.sent_again = len(again)
        if again:
            self._settled()
        if bench.to_repair:
            self._report(f"reconciling: {', '.join(bench.to_repair)}")
            outcome.to_repair = list(bench.to_repair)
            _, before = ending.check(bench)
            self._reconcile()
            self._settled()
            healed = missed(before, contacts=CONTACTS_DELETED in bench.to_repair)
            outcome.healed = Counter(violation.kind for violation in healed)
            # Whatever else was wrong must not be hidden by the repair.
            outcome.violations = [violation for violation in before if violation not in healed]

    def _reconcile(self) -> None:
        """Compare the two systems over all that the run did, whatever their clocks say, and repair."""
        today = datetime.now(UTC)
        since, until = (f"{today + timedelta(days=days):%Y-%m-%d}" for days in (-1, 2))
        try:
            printed = self._bench.stack.run("reconcile", "--repair", "--since", since, "--until", until)
        except AssertionError as problem:
            printed = str(problem)
        self._report(printed[-1000:])

    def _check(self) -> None:
        bench, outcome = self._bench, self.outcome
        outcome.orders, found = ending.check(bench)
        outcome.violations += [violation for violation in found if violation not in outcome.violations]
        outcome.armed, outcome.crashes = bench.armed, bench.crashes
        outcome.returns, outcome.rushes = bench.returns, bench.rushes
        outcome.exits = bench.exits


def missed(found: Sequence[Violation], *, contacts: bool) -> list[Violation]:
    """Return those violations that a missed event may explain: a step that waits, never an order without a trace.

    Parameters
    ----------
    contacts:
        Whether an event may have missed the queue of contacts.
    """
    waiting = {violation.what.split()[1] for violation in found if violation.kind == "flag"}
    return [
        violation
        for violation in found
        if violation.kind in {"unacknowledged", "flag", "accounts"}
        or (contacts and violation.kind == MISSING_CONTACT)
        or (violation.kind == "lost" and violation.what.split()[1] in waiting)
    ]


def planned(seed: int, orders: int, faults: int, kinds: Sequence[str] = (), nodes: int = 1) -> list[Fault]:
    """Return the plan of a run; see `tests.faults.plan.plan`."""
    catalogue = {kind: entries for kind, entries in CATALOGUE.items() if not kinds or kind in kinds}
    return plan(seed, orders, faults, catalogue, nodes=nodes)
