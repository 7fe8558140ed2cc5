"""A year of orders and customers takes no more memory than a month of them."""

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.documents import SalesOrder
from adapters.ecc.simulator.state import columns_of, open_database, transaction
from state.database import open_database as open_bus_database
from state.migrations import migrate
from tests.reconcile.conftest import configure
from tests.stack import Stack, net_of, post

ORDERS = 10_000
"""And customers, spread over a year; each page is decoded, looked up and compared before the next is asked for."""
MOST_GROWTH = 2_500_000
"""Bytes that eleven months more may take: half of what keeping those orders' findings would."""
MEASURED = """
import pathlib, re, resource, sys
from orderbus.cli import status_of
status = status_of(sys.argv[1:])
here = pathlib.Path("/proc/self/status")
# On Linux the most that rusage tells is also that of the process it was forked from.
kib = int(re.search(r"VmHWM:\\s+(\\d+)", here.read_text())[1]) if here.exists() else 0
print(1024 * kib or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def test_memory_does_not_grow_with_the_window(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "memory://", f"sqlite:///{tmp_path}/bus.db")
    configure(stack, grace=0)
    with contextlib.closing(open_bus_database(f"sqlite:///{tmp_path}/bus.db")) as database:
        migrate(database)
    try:
        stack.start_shop()
        post(f"{stack.shop_url}/_simulator/orders", {"count": ORDERS, "days": 365, "guest_share": 1})
        sold = _sell_every_second(stack)
        _register(stack)
        stack.start_ecc()
        month, counts = _measured(stack, tmp_path, days=30)
        assert 0 < counts["missing-in-ecc"] < ORDERS / 6
        assert 0 < counts["contact-missing"] < ORDERS / 6
        year, counts = _measured(stack, tmp_path, days=366)
    finally:
        stack.close()
    assert counts["missing-in-ecc"] == ORDERS - sold
    assert counts["missing-number-in-magento"] == sold
    assert counts["contact-missing"] == ORDERS
    assert year - month < MOST_GROWTH


def _measured(stack: Stack, directory: Path, *, days: int) -> tuple[int, dict[str, int]]:
    """Reconcile so many days up to now; return the most memory that the process had, in bytes, and its counts."""
    since = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    output = directory / "findings.json"
    command = [sys.executable, "-c", MEASURED, "reconcile", "--json", "--since", since, "--config", str(stack.config)]
    root = str(Path(__file__).parents[2])
    with output.open("w") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.PIPE, text=True, check=False, env=os.environ | {"PYTHONPATH": root}
        )
    assert done.returncode == 1, done.stderr
    answer = json.loads(output.read_text())
    assert len(answer["findings"]) == answer["remaining"]
    return int(done.stderr), answer["counts"]


def _sell_every_second(stack: Stack) -> int:
    """Write sales orders for every second order of the shop into ECC's state, and return how many."""
    database = open_database(SimulatorConfig(database=str(stack.directory / "ecc.db")))
    orders = stack.orders()[::2]
    with transaction(database):
        for order in orders:
            number, key = f"{order['entity_id']:010}", f"default-{order['increment_id']}"
            document = SalesOrder(
                vbeln=number,
                doc_type="TA",
                sales_area="1000/10/00",
                kunnr="0000010001",
                purch_no_c=key,
                purch_no_s="",
                currency="EUR",
                net_value=net_of(order),
                tax_amount=0,  # type: ignore[arg-type]
                header={},
                items=(),
                partners=(),
                addresses=(),
                conditions=(),
                schedules=(),
                texts=(),
                extensions=(),
                created_by="LOADER",
                created_at="2026-01-01T00:00:00Z",
            )
            row = (number, document.kunnr, key, "", msgspec.json.encode(document))
            database.execute("INSERT INTO sales_orders VALUES (?, ?, ?, ?, ?)", row)
    database.close()
    return len(orders)


def _register(stack: Stack) -> None:
    """Write customers into ECC's state whom nobody learnt of."""
    database = open_database(SimulatorConfig(database=str(stack.directory / "ecc.db")))
    now = datetime.now(UTC)
    with transaction(database):
        for number in range(ORDERS):
            at = (now - timedelta(days=365 * number / ORDERS)).strftime("%Y-%m-%dT%H:%M:%SZ")
            address = f"somebody{number}@mail.example"
            row = {
                "customer_key": f"1:guest:{address}",
                "kunnr": f"{200_000 + number:010}",
                "parnr": f"{number:010}",
                "email": address,
                "original_email": address,
                "credit_limit": "5000.00",
                "credit_currency": "EUR",
                "store": "default",
                "website": "1",
                "registered_at": at,
                "changed_at": at,
            }
            given = tuple(row.get(field.name.lower(), "") for field in columns_of("ZORDERBUS_S_CUST"))
            database.execute(f"INSERT INTO zorderbus_cust VALUES ({', '.join('?' * len(given))})", given)
    database.close()
