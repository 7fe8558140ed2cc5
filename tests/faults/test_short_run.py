"""A short run of the fault suite: a dozen faults of every kind while a few dozen orders are placed."""

from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.report import details, table
from tests.faults.run import CATALOGUE, Run, planned
from tests.rabbitmq import RabbitNode

SEED = 11
ORDERS = 60
FAULTS = 14


def test_nothing_is_lost_and_nothing_comes_twice(rabbitmq: RabbitNode, postgres_url: str, tmp_path: Path) -> None:
    if not rabbitmq.running:
        rabbitmq.start()
    bench = Bench(tmp_path, [rabbitmq], postgres_url)
    told: list[str] = []
    try:
        bench.start()
        outcome = Run(bench, SEED, ORDERS, told.append, rate=4.0).go(planned(SEED, ORDERS, FAULTS))
    finally:
        bench.close()
    shown = "\n".join((*told, table([outcome]), details(outcome)))
    assert not outcome.violations, shown
    assert outcome.orders >= ORDERS, shown
    assert set(outcome.faults) == set(CATALOGUE), shown
    assert sum(count.total() for count in outcome.faults.values()) >= FAULTS - 2, shown


def test_a_seed_makes_the_same_plan_again_and_a_long_one_holds_every_fault() -> None:
    assert planned(7, 1000, 200) == planned(7, 1000, 200)
    assert planned(7, 1000, 200) != planned(8, 1000, 200)
    drawn = {(fault.kind, fault.name) for fault in planned(7, 10_000, 500, nodes=3)}
    assert drawn == {(kind, entry.name) for kind, entries in CATALOGUE.items() for entry in entries}
    assert not any(fault.name == "leader killed" for fault in planned(7, 10_000, 500, nodes=1))
