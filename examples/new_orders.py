"""Another system joins: it prints every order that ECC has taken. Run it with the broker's URL as its argument."""

import asyncio
import sys
from collections.abc import Sequence

from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.service import Row, Service
from schemas.envelope import Message
from schemas.messages import Body, OrderSynced


async def show(message: Message[OrderSynced]) -> Sequence[Body]:
    print(f"Order {message.body.ref.increment_id} is sales order {message.body.sales_order}.", flush=True)
    return ()


async def main() -> None:
    row = Row("new-orders", consumes=(OrderSynced,))
    runtime = Runtime([Service(row, {OrderSynced: show})], [row], BrokerConfig(sys.argv[1]))
    await runtime.start()
    raise await runtime.failed()


asyncio.run(main())
