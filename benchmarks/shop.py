"""The shop of a benchmark: its accounts, and orders placed without a checkout's many requests."""

import asyncio
from collections.abc import Sequence

import aiohttp
from msgspec import Struct

from adapters.magento.simulator import shopper
from adapters.magento.simulator.config import INTEGRATION
from adapters.magento.simulator.shopper import Person
from tests.stack import get, post

DEFAULT_CUSTOMER = "0000099999"
"""The SAP customer number of accounts that wait for their registration."""
REGISTERED = 20
"""ECC's simulator knows so many customers from the start, from number 10001 on."""


class Mix(Struct, frozen=True):
    """Who buys: the shop's accounts in turn, and guests."""

    guest_share: float = 0.0
    """Share of the orders that are placed without an account."""
    guests: int = 1
    """Different guests."""


def open_registered(url: str) -> None:
    """Open an account for each customer that ECC knows from the start."""
    _open(url, [(Person(f"reg{n}@shop.example", "Ada", f"Known{n}"), f"{10_001 + n:010}") for n in range(REGISTERED)])


def open_prospects(url: str, count: int) -> None:
    """Open accounts that carry the default number."""
    people = [Person(f"firm{n}.jane@firm{n}.example", "Jane", f"New{n}", f"Firm{n}") for n in range(count)]
    _open(url, [(person, DEFAULT_CUSTOMER) for person in people])


def _open(url: str, accounts: Sequence[tuple[Person, str]]) -> None:
    async def opened() -> None:
        async with aiohttp.ClientSession() as http:
            for person, number in accounts:
                attributes = {"sap_customer_number": number}
                await shopper.open_account(http, url, INTEGRATION.access_token, person, attributes=attributes)

    asyncio.run(opened())


def place(url: str, count: int, mix: Mix, seed: int = 1, days: float = 1e-6) -> list[str]:
    """Place orders through the simulator's loading aid, which takes no worker's time; return their ids.

    Parameters
    ----------
    seed:
        Decides who buys what.
    days:
        They are spread over so many days up to now.
    """
    share = {"guest_share": mix.guest_share, "guests": mix.guests}
    placed = post(f"{url}/_simulator/orders", {"count": count, "seed": seed, "days": days, **share})
    return [str(number) for number in range(placed["first"], placed["last"] + 1)]


def unnumbered(url: str) -> int:
    """Return how many of the shop's orders carry no number of a sales order."""
    missing, after = 0, 0
    while page := get(f"{url}/_simulator/orders?limit=5000&after={after}")["orders"]:
        missing += sum(not order["ext_order_id"] for order in page)
        after = page[-1]["entity_id"]
    return missing
