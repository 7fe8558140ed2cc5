"""What became of the demo's orders, read from the two simulators alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
from msgspec import Struct

from orderbus.demo.population import Kind

PAGE = 1000
"""Rows asked for at once."""


class Fate(Struct, frozen=True):
    """What became of one order."""

    order: str
    """Magento increment id."""
    kind: Kind
    sap_customer: str = ""
    """Sold-to party of its sales order."""
    contact_person: str = ""
    sales_orders: tuple[str, ...] = ()
    """Numbers of the sales orders that ECC holds for it; more than one would be a duplicate."""
    written_back: str = ""
    """The number that the shop's order carries."""
    flag: str = ""
    """``X`` once its pending row is cleared, ``-`` where it never had to wait, empty while it waits."""
    totals_agree: bool = True
    """ECC's net value is the shop's grand total without tax."""

    @property
    def arrived(self) -> bool:
        """Whether both sides know it, once."""
        return (
            len(self.sales_orders) == 1
            and self.written_back == self.sales_orders[0]
            and self.flag in ("X", "-")
            and self.totals_agree
        )


class Systems:
    """The two simulators, as whoever looks at their state sees them.

    Parameters
    ----------
    http:
        Session to ask with.
    shop, ecc:
        Base URLs.
    """

    def __init__(self, http: aiohttp.ClientSession, shop: str, ecc: str) -> None:
        self._http = http
        self._shop = shop
        self._ecc = ecc

    async def orders(self) -> list[dict[str, Any]]:
        """Return the shop's orders, as its REST API shows them, oldest first."""
        orders: list[dict[str, Any]] = []
        while True:
            after = orders[-1]["entity_id"] if orders else 0
            page = await self._get(f"{self._shop}/_simulator/orders", after)
            orders += page["orders"]
            if len(page["orders"]) < PAGE:
                return orders

    async def sales_orders(self) -> list[dict[str, Any]]:
        """Return ECC's sales orders."""
        return await self._all(f"{self._ecc}/_simulator/sales-orders")

    async def pending_orders(self) -> list[dict[str, Any]]:
        """Return the rows of ECC's pending table, cleared or not."""
        return await self._all(f"{self._ecc}/_simulator/pending-orders")

    async def counts(self) -> Mapping[str, Any]:
        """Return ECC's counts of what it holds."""
        return await self._get(f"{self._ecc}/_simulator/counts", "")

    async def _all(self, url: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            page = await self._get(url, after)
            items += page["items"]
            after = page["next"]
        return items

    async def _get(self, url: str, after: str | int) -> Mapping[str, Any]:
        async with self._http.get(url, params={"after": str(after), "limit": str(PAGE)}) as response:
            response.raise_for_status()
            answer: Mapping[str, Any] = await response.json()
            return answer


async def fates(systems: Systems, kinds: Mapping[str, Kind], key_of: Callable[[str], str]) -> list[Fate]:
    """Return what became of each order.

    Parameters
    ----------
    kinds:
        The orders of interest, by Magento ``entity_id``.
    key_of:
        Returns the order key in ECC for an increment id.
    """
    documents: dict[str, list[dict[str, Any]]] = {}
    for document in await systems.sales_orders():
        documents.setdefault(document["purch_no_c"], []).append(document)
    rows = {row["order_key"]: row for row in await systems.pending_orders()}
    found = []
    for order in await systems.orders():
        kind = kinds.get(str(order["entity_id"]))
        if kind is not None:
            key = key_of(str(order["increment_id"]))
            found.append(_fate(order, kind, documents.get(key, ()), rows.get(key)))
    return found


def _fate(
    order: Mapping[str, Any], kind: Kind, documents: Sequence[Mapping[str, Any]], row: Mapping[str, Any] | None
) -> Fate:
    net = Decimal(str(order["grand_total"])) - Decimal(str(order["tax_amount"]))
    partners = [partner for document in documents for partner in document["partners"]]
    return Fate(
        order=str(order["increment_id"]),
        kind=kind,
        sap_customer=next((str(document["kunnr"]) for document in documents), ""),
        contact_person=next((str(one["PARTN_NUMB"]) for one in partners if one["PARTN_ROLE"] == "AP"), ""),
        sales_orders=tuple(str(document["vbeln"]) for document in documents),
        written_back=str(order.get("ext_order_id") or ""),
        flag="-" if row is None else str(row["cleared"]),
        totals_agree=all(Decimal(str(document["net_value"])) == net for document in documents),
    )


def stage(fate: Fate) -> str:
    """Return how far an order has come, in a word."""
    if fate.arrived:
        return "arrived"
    if fate.sales_orders:
        return "in ECC"
    return "waiting" if fate.flag == "" else "placed"


def tally(found: Sequence[Fate]) -> Counter[str]:
    """Count the orders by how far they have come."""
    return Counter(map(stage, found))
