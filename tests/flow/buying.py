"""Buyers of the flow tests: they place orders through the shop's own REST API, several at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

import aiohttp
from msgspec import Struct

from adapters.magento.simulator import shopper
from adapters.magento.simulator.shopper import Line, Person
from tests.stack import ADMIN_TOKEN, DEFAULT_CUSTOMER

BASKETS = (
    (Line("MUG-01", Decimal(1)),),
    (Line("MUG-01", Decimal(2)), Line("TEE-01", Decimal(1))),
    (Line("VIRT-01", Decimal(1)), Line("TEE-01", Decimal(3))),
)


class Buyer(Struct, frozen=True):
    """Somebody who buys: with an account where `number` says which SAP customer number it carries."""

    person: Person
    number: str | None = None
    store: str = "default"
    """Store view that they buy in."""


class Wish(Struct, frozen=True):
    """How somebody buys, where it is out of the ordinary."""

    lines: tuple[Line, ...] = BASKETS[0]
    payment: Mapping[str, str] | None = None
    coupon: str = ""
    """Coupon code; for buyers with an account."""


def registered(number: int) -> Buyer:
    """Return a buyer whose account ECC knows (number 0 to 19)."""
    return Buyer(Person(f"reg{number}@shop.example", "Ada", f"Registered{number}"), f"{10_001 + number:010}")


def prospect(number: int, company: str = "") -> Buyer:
    """Return a buyer whose account carries the default number; its address carries the company's name."""
    company = company or f"Company{number}"
    email = f"{company.lower()}.jane{number}@{company.lower()}.example"
    return Buyer(Person(email, "Jane", f"Prospect{number}", company), DEFAULT_CUSTOMER)


def guest(number: int) -> Buyer:
    """Return a buyer without an account."""
    return Buyer(Person(f"guest{number}@mail.example", "Bo", f"Guest{number}"))


WEBSITES = {"default": (1, 1), "b2b_en": (2, 2)}
"""Website id and store view id by store view."""


class Shopping:
    """Buyers at one shop; their accounts are opened when they first buy.

    Parameters
    ----------
    shop:
        Base URL.
    http:
        Session to send with.
    """

    def __init__(self, shop: str, http: aiohttp.ClientSession) -> None:
        self.shop = shop
        self.http = http
        self._tokens: dict[str, str] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._checkouts: dict[str, asyncio.Lock] = {}

    async def open_account(self, buyer: Buyer) -> None:
        """Open a buyer's account and log in."""
        email = buyer.person.email
        async with self._opening.setdefault(email, asyncio.Lock()):
            if buyer.number is not None and email not in self._tokens:
                attributes = {"sap_customer_number": buyer.number} if buyer.number else {}
                website_id, store_id = WEBSITES[buyer.store]
                await shopper.open_account(
                    self.http,
                    self.shop,
                    ADMIN_TOKEN,
                    buyer.person,
                    website_id=website_id,
                    store_id=store_id,
                    attributes=attributes,
                )
                await self.log_in(buyer)

    async def log_in(self, buyer: Buyer) -> None:
        """Log a buyer in who has an account."""
        token = await shopper.log_in(self.http, self.shop, buyer.person, buyer.store)
        self._tokens[buyer.person.email] = token

    async def buy(self, buyer: Buyer, wish: Wish) -> int:
        """Place an order, and return its Magento ``entity_id``."""
        await self.open_account(buyer)
        if buyer.number is None:
            return await shopper.place_as_guest(
                self.http, self.shop, buyer.person, wish.lines, store=buyer.store, payment=wish.payment
            )
        token = self._tokens[buyer.person.email]
        # An account has one cart.
        async with self._checkouts.setdefault(buyer.person.email, asyncio.Lock()):
            if wish.coupon:
                await self._enter_coupon(buyer, wish)
                wish = Wish(wish.lines[1:], wish.payment)
            return await shopper.place_as_customer(
                self.http, self.shop, token, buyer.person, wish.lines, store=buyer.store, payment=wish.payment
            )

    async def _enter_coupon(self, buyer: Buyer, wish: Wish) -> None:
        """Put the first line into the cart, and enter the code; the checkout goes on with this cart."""
        headers = {"Authorization": f"Bearer {self._tokens[buyer.person.email]}"}
        cart = f"{self.shop}/rest/{buyer.store}/V1/carts/mine"
        line = wish.lines[0]
        async with self.http.post(cart, json={}, headers=headers) as answer:
            quote_id = await answer.json()
        item = {"sku": line.sku, "qty": float(line.quantity), "quote_id": quote_id}
        async with self.http.post(f"{cart}/items", json={"cartItem": item}, headers=headers) as answer:
            answer.raise_for_status()
        async with self.http.put(f"{cart}/coupons/{wish.coupon}", headers=headers) as answer:
            answer.raise_for_status()


async def _all(shop: str, purchases: Sequence[tuple[Buyer, Wish]], at_once: int, *, known: bool) -> list[int]:
    async with aiohttp.ClientSession() as http:
        shopping = Shopping(shop, http)
        for buyer in dict.fromkeys(buyer for buyer, _ in purchases if buyer.number is not None):
            await (shopping.log_in(buyer) if known else shopping.open_account(buyer))
        slots = asyncio.Semaphore(at_once)

        async def one(buyer: Buyer, wish: Wish) -> int:
            async with slots:
                return await shopping.buy(buyer, wish)

        return list(await asyncio.gather(*(one(buyer, wish) for buyer, wish in purchases)))


def buy(shop: str, buyers: Sequence[Buyer], *, at_once: int = 8) -> list[int]:
    """Let every buyer place an order, with the baskets in turn; return the orders' Magento ``entity_id``."""
    purchases = [(buyer, Wish(BASKETS[index % len(BASKETS)])) for index, buyer in enumerate(buyers)]
    return asyncio.run(_all(shop, purchases, at_once, known=False))


def buy_one(shop: str, buyer: Buyer, wish: Wish | None = None, *, known: bool = False) -> int:
    """Let one buyer place an order, and return its Magento ``entity_id``.

    Parameters
    ----------
    known:
        The buyer has opened their account before.
    """
    (order_id,) = asyncio.run(_all(shop, [(buyer, wish or Wish())], 1, known=known))
    return order_id
