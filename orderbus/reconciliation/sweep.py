"""A sweep over both systems: the shop's orders against what ECC knows of them, the rows that wait, the customers.

It goes page by page and keeps nothing of one that has been compared, so that a year takes no more memory than a day.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from adapters.contacts.directory import contacts_of
from adapters.ecc.changed import CustomerPage, customers_between
from adapters.ecc.config import EccConfig
from adapters.ecc.sessions import Sessions
from adapters.ecc.standing import open_rows, standings
from adapters.magento.customers import numbers_of
from adapters.magento.history import ShopOrder, exists, orders_between, orders_of
from adapters.magento.shop import Shop
from orderbus.reconciliation.compare import Finding, Terms, compare
from orderbus.reconciliation.customers import compare_customer
from schemas.failures import Transient
from schemas.order import OrderRef
from state.database import Database

T = TypeVar("T")


class Window(Struct, frozen=True):
    """A span of time in which orders were placed and customers registered; pending rows are looked at at any age."""

    since: datetime
    until: datetime
    """Excluded."""

    @classmethod
    def back(cls, seconds: float) -> "Window":
        """Return the window that ends with the present second."""
        now = datetime.now(UTC)
        return cls(now - timedelta(seconds=seconds), now + timedelta(seconds=1))

    def holds(self, moment: datetime) -> bool:
        """Tell whether a moment lies in it."""
        return self.since <= moment < self.until


class Progress(Struct, frozen=True):
    """What one page gave."""

    findings: list[Finding]
    compared: int
    """Orders compared so far; customers are not counted."""
    total: int
    """Orders in the window, by the shop's count."""


class Sweep:
    """Compares the shop with ECC.

    Parameters
    ----------
    shop, sessions, ecc:
        The two systems, and ECC's part of the configuration.
    database:
        The bus's own database, with the directory of contacts.
    terms:
        What counts as a difference.
    """

    def __init__(self, shop: Shop, sessions: Sessions, ecc: EccConfig, database: Database, terms: Terms) -> None:
        self._shop = shop
        self._sessions = sessions
        self._ecc = ecc
        self._database = database
        self._terms = terms

    async def over(self, window: Window) -> AsyncIterator[Progress]:
        """Yield what is found, page by page.

        Raises
        ------
        Failure
            One of the systems, or the database, cannot be asked.
        """
        # The shop knows whole seconds, and both passes must agree on what lies in the window.
        window = Window(window.since.replace(microsecond=0), window.until.replace(microsecond=0))
        compared = total = 0
        # One thread, so that one RFC session serves the whole sweep.
        with ThreadPoolExecutor(1, thread_name_prefix="reconcile") as thread:
            async for page in orders_between(self._shop, window.since, window.until):
                total = max(total, page.total)
                found = await self._compared(thread, {one.ref: one for one in page.orders})
                compared += len(page.orders)
                yield Progress(found, compared, total)
            async for refs in _pages(thread, open_rows(self._sessions, self._ecc)):
                orders = await self._waiting_elsewhere(refs, window)
                found = await self._compared(thread, orders)
                compared += len(orders)
                yield Progress(found, compared, max(total, compared))
            pages = customers_between(self._sessions, self._ecc, window.since, window.until)
            async for customers in _pages(thread, pages):
                yield Progress(await self._compared_customers(customers), compared, max(total, compared))

    async def _waiting_elsewhere(self, refs: Sequence[OrderRef], window: Window) -> dict[OrderRef, ShopOrder | None]:
        """Return the orders of these rows, without those that their place in the window has had compared already."""
        orders = await orders_of(self._shop, {ref.order_id for ref in refs})
        found: dict[OrderRef, ShopOrder | None] = {}
        for ref in refs:
            order = orders.get(ref.order_id)
            if order is None and await exists(self._shop, ref.order_id):
                raise Transient(
                    f"Magento has order {ref.order_id}, but its search does not find it.",
                    "Look for an extension that changes the search of orders.",
                )
            if order is None or order.ref != ref or not window.holds(order.created_at):
                found[ref] = order
        return found

    async def _compared(self, thread: ThreadPoolExecutor, orders: Mapping[OrderRef, ShopOrder | None]) -> list[Finding]:
        refs = list(orders)
        if not refs:
            return []
        # After the shop: what is missing in ECC by now was not on its way when the shop showed it.
        look = asyncio.get_running_loop().run_in_executor
        known = await look(thread, standings, self._sessions, self._ecc, refs)
        return [
            finding
            for ref, standing in zip(refs, known, strict=True)
            for finding in compare(orders[ref], standing, ref, self._terms)
        ]

    async def _compared_customers(self, page: CustomerPage) -> list[Finding]:
        # After ECC: what is missing elsewhere by then did not arrive.
        contacts = await asyncio.to_thread(contacts_of, self._database, [one.key for one in page.customers])
        numbers = await numbers_of(self._shop, (one.account_id for one in page.customers if one.account_id))
        return [
            finding
            for one in page.customers
            for finding in compare_customer(
                one, contacts.get(one.key), numbers.get(one.account_id or ""), page.now, self._terms
            )
        ]


async def _pages(thread: ThreadPoolExecutor, pages: Iterator[T]) -> AsyncIterator[T]:
    """Yield what a blocking iterator yields, taken on its thread."""
    step: Callable[[], T | None] = lambda: next(pages, None)  # noqa: E731
    while (page := await asyncio.get_running_loop().run_in_executor(thread, step)) is not None:
        yield page
