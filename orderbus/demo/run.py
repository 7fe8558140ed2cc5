"""A run of the demo: start both systems and every service, place the orders, watch them arrive."""

import asyncio
import contextlib
import json
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct
from rich.console import Console

from adapters.ecc.config import Condition, Conditions, EccConfig, Store
from adapters.ecc.config import Simulator as EccConnection
from adapters.ecc.keys import order_key
from adapters.ecc.simulator.config import SimulatorConfig as EccSystem
from adapters.ecc.simulator.server import Simulator as Ecc
from adapters.magento.config import Bearer, MagentoConfig
from adapters.magento.simulator import shopper
from adapters.magento.simulator.config import INTEGRATION
from adapters.magento.simulator.config import SimulatorConfig as ShopSystem
from adapters.magento.simulator.server import Simulator as Shop
from bus.config import BrokerConfig
from bus.runtime import Runtime
from bus.topology import apply
from orderbus.config import Config, Database, Http
from orderbus.demo.outcome import Fate, Systems, fates, tally
from orderbus.demo.population import DEFAULT_CUSTOMER, Buyer, Kind, Purchase, purchases
from orderbus.demo.screen import Screen, table_of
from orderbus.services import TABLE
from orderbus.wiring import RECIPES, build
from router.company import prefixed
from router.policy import RoutingPolicy
from schemas.order import OrderRef
from state.database import open_database
from state.migrations import migrate

STORE = "default"
LOOK_SECONDS = 0.25
"""Between two looks at the systems."""
PATIENCE_SECONDS = 120.0
"""Without any progress for so long, the run gives up."""
FINISHED = "finished"
"""File in the state directory of a run that came to its end: the next run starts afresh."""


class Summary(Struct, frozen=True):
    """The run in numbers, as ``--json`` prints it."""

    orders: int
    registered: int
    """Orders that went straight to ECC, their customer being registered there."""
    guests: int
    """Orders that were held: their account carried the default number, or they had no account."""
    sales_orders: int
    duplicates: int
    cleared: int
    """Held orders whose flag is ``X``."""
    acknowledged: int
    """Orders that carry their SAP order number in the shop."""
    customers_registered: int
    """Customers that are new in ECC."""
    contacts: int
    """Contact persons in the bus's own database."""
    seconds: float


def run_demo(
    orders: int, broker: str | None = None, *, as_json: bool = False, state: Path = Path(".orderbus/demo")
) -> int:
    """Run the demo and return its exit status: 0 only when every order arrived and ECC's count agrees.

    Parameters
    ----------
    orders:
        How many orders to place.
    broker:
        URL of a RabbitMQ; ``None`` keeps the messages in this process.
    as_json:
        Print one JSON object instead of progress and table.
    state:
        Directory of the simulators' and the bus's own state. A run that was interrupted there is taken up again.

    Raises
    ------
    Failure
        The broker cannot be used.
    """
    if (state / FINISHED).exists():
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=as_json, quiet=as_json)
    began = time.monotonic()
    found, summary = asyncio.run(_run(orders, broker, state, console, began))
    arrived = sum(fate.arrived for fate in found)
    complete = orders <= arrived == summary.orders == summary.sales_orders and not summary.duplicates
    if complete:
        (state / FINISHED).touch()
    if as_json:
        print(json.dumps(msgspec.to_builtins(summary)))  # noqa: T201 - the command's answer
    else:
        console.print(table_of(found))
        console.print(
            f"{arrived} of {orders} orders arrived in {summary.seconds} s: {summary.sales_orders} sales orders in ECC, "
            f"{summary.duplicates} duplicates, {summary.cleared} of {summary.guests} held orders cleared, "
            f"{summary.customers_registered} customers registered, {summary.contacts} contact persons."
        )
    return 0 if complete else 1


async def _run(
    orders: int, broker: str | None, state: Path, console: Console, began: float
) -> tuple[list[Fate], Summary]:
    async with _both_systems(state) as (shop, ecc), aiohttp.ClientSession() as http:
        config = _configuration(shop, ecc, broker, state)
        database = open_database(config.database.url)
        migrate(database)
        if broker is not None:
            apply(config.broker, TABLE)
        systems = Systems(http, shop, ecc)

        def key_of(increment_id: str) -> str:
            return order_key(config.ecc, OrderRef(STORE, "", increment_id))

        async with build(list(RECIPES), config) as services:
            runtime = Runtime(services, TABLE, config.broker)
            await runtime.start()
            try:
                with Screen(console, orders) as screen:
                    found = await _watch(orders, _Buyers(shop, http), systems, key_of, screen)
            finally:
                await runtime.stop()
        counts = await systems.counts()
        ((contacts,),) = database.execute("SELECT count(*) FROM contact")
        database.close()
    summary = Summary(
        orders=len(found),
        registered=sum(fate.flag == "-" for fate in found),
        guests=sum(fate.flag != "-" for fate in found),
        sales_orders=counts["sales_orders"],
        duplicates=counts["duplicates"],
        cleared=sum(fate.flag == "X" for fate in found),
        acknowledged=sum(bool(fate.written_back) for fate in found),
        customers_registered=counts["customers_registered"],
        contacts=contacts,
        seconds=round(time.monotonic() - began, 1),
    )
    return found, summary


@asynccontextmanager
async def _both_systems(state: Path) -> AsyncIterator[tuple[str, str]]:
    shop = Shop(ShopSystem(database=str(state / "magento.db"), default_customer_number=DEFAULT_CUSTOMER))
    ecc = Ecc(EccSystem(database=str(state / "ecc.db")))
    try:
        yield await shop.start(), await ecc.start()
    finally:
        await shop.stop()
        await ecc.stop()


def _configuration(shop: str, ecc: str, broker: str | None, state: Path) -> Config:
    store = Store(
        sales_org="1000",
        distribution_channel="10",
        division="00",
        document_type="TA",
        conditions=Conditions(
            price=Condition(type="ZPRF"),
            discount=Condition(type="RB00"),
            freight=Condition(type="HD00"),
            tax=Condition(type="ZTAX"),
        ),
        reference_customer="0000000001",
        credit_limit=Decimal(5000),
        credit_control_area="1000",
    )
    return Config(
        magento=MagentoConfig(
            url=shop,
            auth=Bearer(token=INTEGRATION.access_token),
            poll_interval=0.3,
            quiet_period=0,
            create_accounts=True,
        ),
        ecc=EccConfig(
            connection=EccConnection(url=ecc, passwd=EccSystem().passwd), default=store, sessions=8, poll_seconds=1
        ),
        router=RoutingPolicy(default_customer=DEFAULT_CUSTOMER),
        broker=BrokerConfig(url=broker or "memory://"),
        database=Database(url=f"sqlite:///{state / 'orderbus.db'}"),
        http=Http(port=0),
    )


async def _watch(
    orders: int, buyers: "_Buyers", systems: Systems, key_of: Callable[[str], str], screen: Screen
) -> list[Fate]:
    """Place the orders and look at both systems until all have arrived, or nothing moves any more."""
    kinds: dict[str, Kind] = {}
    placing = asyncio.create_task(_place(orders, buyers, systems, kinds))
    counts: Counter[str] = Counter()
    moved = time.monotonic()
    try:
        while True:
            placed = placing.done()
            found = await fates(systems, kinds, key_of)
            before, counts = counts, tally(found)
            screen.show(len(kinds), counts)
            if placed and (placing.exception() or counts["arrived"] == len(kinds)):
                break
            if counts != before:
                moved = time.monotonic()
            if time.monotonic() - moved > PATIENCE_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        placing.cancel()
    if placed:
        placing.result()
    return found


async def _place(orders: int, buyers: "_Buyers", systems: Systems, kinds: dict[str, Kind]) -> None:
    """Place the run's orders in their order, behind those that an interrupted run had placed."""
    wanted = list(purchases(orders))
    there = await systems.orders()
    for order, purchase in zip(there, wanted, strict=False):
        kinds[str(order["entity_id"])] = purchase.buyer.kind
    for purchase in wanted[len(there) :]:
        kinds[str(await buyers.place(purchase))] = purchase.buyer.kind


class _Buyers:
    """The demo's buyers, who open an account before their first order unless they buy as guests."""

    def __init__(self, shop: str, http: aiohttp.ClientSession) -> None:
        self._shop = shop
        self._http = http
        self._tokens: dict[str, str] = {}

    async def place(self, purchase: Purchase) -> int:
        """Place an order and return its Magento ``entity_id``."""
        buyer = purchase.buyer
        if buyer.kind == "guest":
            return await shopper.place_as_guest(self._http, self._shop, buyer.person, purchase.lines)
        token = self._tokens.get(buyer.person.email)
        if token is None:
            token = self._tokens[buyer.person.email] = await self._token(buyer)
        return await shopper.place_as_customer(self._http, self._shop, token, buyer.person, purchase.lines)

    async def _token(self, buyer: Buyer) -> str:
        # In a run that is taken up again the account exists, perhaps with its new address already.
        parts = prefixed(buyer.person.email)
        addresses = (buyer.person.email, f"{parts.contact}@{parts.domain}") if parts else (buyer.person.email,)
        for address in addresses:
            with contextlib.suppress(RuntimeError):
                return await shopper.log_in(
                    self._http, self._shop, msgspec.structs.replace(buyer.person, email=address)
                )
        attributes = {"sap_customer_number": buyer.sap_customer_number}
        await shopper.open_account(
            self._http, self._shop, INTEGRATION.access_token, buyer.person, attributes=attributes
        )
        return await shopper.log_in(self._http, self._shop, buyer.person)
