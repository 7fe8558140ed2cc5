"""The example of a new subscriber."""

import ast
import asyncio
import sys
from pathlib import Path

from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.service import Row, Service
from bus.topology import apply
from schemas.envelope import Publication, Publish
from schemas.messages import OrderSynced
from schemas.order import OrderRef
from tests.processes import Server, wait_until

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "new_orders.py"


def test_it_has_under_twenty_lines_of_code() -> None:
    tree = ast.parse(EXAMPLE.read_text())
    assert ast.get_docstring(tree)
    lines = {line for node in ast.walk(tree) if (line := getattr(node, "lineno", None))}
    assert len(lines) - 1 < 20


async def test_it_prints_the_orders_that_ecc_has_taken(broker_url: str, tmp_path: Path) -> None:
    config = BrokerConfig(broker_url)
    apply(config, [Row("new-orders", consumes=(OrderSynced,))])
    root = str(EXAMPLE.parent.parent)
    log = tmp_path / "example.log"
    example = Server(
        [sys.executable, str(EXAMPLE), broker_url], log=log, env={"PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}
    )
    try:
        synced = OrderSynced(OrderRef("default", "7", "000000007"), "0000000123", "0000010001")
        sent = [False]

        async def poll(publish: Publish) -> float:
            if not sent[0]:
                await publish([Publication(synced, "an-id", "default-000000007")])
                sent[0] = True
            return 0.1

        row = Row("shop", publishes=(OrderSynced,))
        runtime = Runtime([Service(row, {}, poll=poll)], [row, Row("new-orders", consumes=(OrderSynced,))], config)
        await runtime.start()
        try:
            await asyncio.to_thread(
                wait_until, lambda: "Order 000000007 is sales order 0000000123." in log.read_text(), "it was printed"
            )
        finally:
            await runtime.stop()
    finally:
        example.kill()
