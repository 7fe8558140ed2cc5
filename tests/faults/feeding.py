"""Buyers who go on placing orders while everything around them fails."""

import asyncio
import random
import threading
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import aiohttp
from msgspec.structs import replace

from adapters.magento.simulator import shopper
from adapters.magento.simulator.shopper import Line
from tests.flow.buying import BASKETS, Buyer, guest, prospect, registered
from tests.stack import ADMIN_TOKEN

T = TypeVar("T")

AT_ONCE = 4
PAUSE = 0.2
"""Seconds after a purchase that failed."""
TRIES = 600
"""A fault of the shop lasts longer where its end has to wait for a node of the broker to start."""
UNFIT = "Stadt" * 12
"""A city that no field of ECC holds."""


class Feeder:
    """Places orders from a thread of its own, up to a limit that is moved on as the run proceeds.

    Parameters
    ----------
    shop:
        Base URL.
    orders:
        How many in all.
    seed:
        Of who buys what.
    rate:
        Orders per second at most.
    """

    def __init__(self, shop: str, orders: int, seed: int, rate: float) -> None:
        self._shop = shop
        self._orders = orders
        draws = random.Random(seed)
        strangers = [*map(prospect, range(max(4, orders // 25))), *map(guest, range(max(3, orders // 40)))]
        # A true guest who uses the address of a known account stays a stranger.
        strangers.append(Buyer(registered(0).person))
        self._buyers = [
            registered(draws.randrange(20)) if draws.random() < 2 / 3 else draws.choice(strangers)
            for _ in range(orders)
        ]
        self._baskets = [draws.choice(BASKETS) for _ in range(orders)]
        self._tokens: dict[str, str] = {}
        self._carts: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.placed: list[int] = []
        """Magento ``entity_id`` of each order whose buyer was told so; one that was not may have been placed too."""
        self.failed = 0
        """Purchases that the shop did not confirm."""
        self._limit = 0
        self._rate = rate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="feeder", daemon=True)
        self._thread.start()
        self._http = self._call(self._session()).result(30)
        self._done: Future[None] | None = None

    def open_accounts(self) -> None:
        """Open every buyer's account, before anything fails."""
        self._call(self._open_accounts()).result(600)

    def start(self) -> None:
        """Begin to buy."""
        self._done = self._call(self._feed())

    def allow(self, orders: int) -> None:
        """Let so many orders be placed in all."""
        self._limit = max(self._limit, orders)

    @property
    def done(self) -> bool:
        """Whether all have been placed.

        Raises
        ------
        Exception
            What ended the buying.
        """
        if self._done is None or not self._done.done():
            return False
        self._done.result()
        return True

    def buy_unfit(self, number: int) -> int:
        """Let a registered customer order to an address that ECC cannot take; return the order's ``entity_id``."""
        buyer = registered(number)
        return self._call(self._buy(replace(buyer, person=replace(buyer.person, city=UNFIT)), BASKETS[0])).result(120)

    def close(self) -> None:
        """End the buying."""
        if self._done is not None:
            self._done.cancel()
        self._call(self._http.close()).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def _open_accounts(self) -> None:
        slots = asyncio.Semaphore(8)

        async def one(buyer: Buyer) -> None:
            async with slots:
                attributes = {"sap_customer_number": buyer.number or ""}
                await shopper.open_account(self._http, self._shop, ADMIN_TOKEN, buyer.person, attributes=attributes)
                await self._token(buyer)

        known = [registered(number) for number in range(20)]
        accounts = dict.fromkeys(buyer for buyer in (*known, *self._buyers) if buyer.number is not None)
        await asyncio.gather(*map(one, accounts))

    async def _token(self, buyer: Buyer) -> str:
        email = buyer.person.email
        if email not in self._tokens:
            self._tokens[email] = await shopper.log_in(self._http, self._shop, buyer.person)
        return self._tokens[email]

    async def _feed(self) -> None:
        purchases = iter(list(zip(self._buyers, self._baskets, strict=True)))

        due = self._loop.time()

        async def shopping() -> None:
            nonlocal due
            for buyer, basket in purchases:
                while len(self.placed) + AT_ONCE > self._limit:  # noqa: ASYNC110 - moved on by another thread
                    await asyncio.sleep(0.05)
                due = max(due, self._loop.time()) + 1 / self._rate
                await asyncio.sleep(due - self._loop.time())
                self.placed.append(await self._buy(buyer, basket))

        await asyncio.gather(*(shopping() for _ in range(AT_ONCE)))

    async def _buy(self, buyer: Buyer, basket: Sequence[Line]) -> int:
        for _ in range(TRIES):
            try:
                if buyer.number is None:
                    return await shopper.place_as_guest(self._http, self._shop, buyer.person, basket)
                async with self._carts[buyer.person.email]:  # an account has one cart
                    token = await self._token(buyer)
                    return await shopper.place_as_customer(self._http, self._shop, token, buyer.person, basket)
            except (RuntimeError, aiohttp.ClientError, TimeoutError):
                # What a browser shows as "please try again": the order may have been placed or not.
                self.failed += 1
                await asyncio.sleep(PAUSE)
        raise RuntimeError(f"the shop took no order in {TRIES} tries")
