"""``orderbus demo``: its numbers, its table, a kill in the middle, and a real broker."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from orderbus.demo.population import purchases
from tests.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


def demo(state: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo as a process of its own."""
    command = [sys.executable, "-m", "orderbus", "demo", "--state", str(state), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    """Return what it printed, once it ended well."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    return output


def count(database: Path, query: str) -> int:
    """Return a count from a simulator's database, 0 while it has no tables."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def kill_after(written: int, process: subprocess.Popen[str], ecc: Path) -> None:
    """Kill a demo with SIGKILL once ECC holds so many sales orders."""
    wait_until(
        lambda: count(ecc, "SELECT count(*) FROM sales_orders") >= written or process.poll() is not None,
        f"{written} sales orders are written",
        seconds=120,
        every=0.002,
    )
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.communicate()


def the_summary_of_a_complete_run(output: str, orders: int) -> dict[str, float]:
    """Return the summary, whose numbers must agree with each other."""
    summary: dict[str, float] = json.loads(output)
    assert summary["orders"] == summary["sales_orders"] == summary["acknowledged"] == orders
    assert summary["registered"] + summary["guests"] == orders
    assert summary["cleared"] == summary["guests"] > 0
    assert summary["duplicates"] == 0
    strangers = {one.buyer.person.email for one in purchases(orders) if one.buyer.kind != "registered"}
    assert summary["customers_registered"] == summary["contacts"] == len(strangers)
    return summary


def test_it_ends_with_numbers_for_a_script(tmp_path: Path) -> None:
    summary = the_summary_of_a_complete_run(finished(demo(tmp_path, "--orders", "24", "--json")), 24)
    assert summary["seconds"] > 0


def test_it_ends_with_a_table_for_a_person(tmp_path: Path) -> None:
    output = finished(demo(tmp_path, "--orders", "6"))
    assert "What became of each order" in output
    assert output.count("registered ") >= 4
    assert "6 of 6 orders arrived" in output
    assert all(len(line) <= 80 for line in output.splitlines())


def test_killed_in_the_middle_and_started_again_every_order_arrives_once(tmp_path: Path) -> None:
    orders, kills = 90, (5, 20, 40)
    for written in kills:
        kill_after(written, demo(tmp_path, "--orders", str(orders), "--json"), tmp_path / "ecc.db")
    the_summary_of_a_complete_run(finished(demo(tmp_path, "--orders", str(orders), "--json")), orders)


def test_it_runs_on_a_real_broker(tmp_path: Path, broker_url: str) -> None:
    output = finished(demo(tmp_path, "--orders", "12", "--json", "--broker", broker_url))
    the_summary_of_a_complete_run(output, 12)


@pytest.mark.parametrize("orders", [1, 2, 3, 30])
def test_the_same_buyers_come_on_every_run(orders: int) -> None:
    assert list(purchases(orders)) == list(purchases(orders))
    assert len(list(purchases(orders))) == orders
