"""The shop's resources that the bus reads, typed; store views and product SKUs are remembered."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from adapters.magento.client import Answer, Client
from adapters.magento.config import MagentoConfig, StoreView
from adapters.magento.errors import BodyTooLargeError, MagentoError
from adapters.magento.rest_types import (
    CustomerJson,
    EntityId,
    InvoiceJson,
    OrderJson,
    Page,
    ProductJson,
    StoreViewJson,
    text,
)
from adapters.magento.search import Filter, any_of, criteria
from schemas.failures import Permanent
from schemas.identifiers import normalised_email

MOST_IDS = 200
"""Ids in one search, so that its URL stays below what web servers take."""
MOST_EMAILS = 50
"""E-mail addresses in one search; an address may belong to an account in each website."""
VIEWS_SECONDS = 30.0
"""How long the shop is not asked again about a store view that it did not know."""
MOST_PRODUCTS = 100_000
"""Product SKUs that are remembered at most."""

T = TypeVar("T")


class Rows(msgspec.Struct, Generic[T], frozen=True):
    """A search's answer; ``items`` is null where Magento selected fields of none."""

    items: list[T] | None = None


class Unintelligible(msgspec.Struct, frozen=True):
    """An account whose JSON is none that an account can have."""

    id: int
    reason: str


class _RowId(msgspec.Struct, frozen=True):
    id: EntityId


class Seen(msgspec.Struct, frozen=True):
    """An order as it was read at one moment."""

    order: OrderJson
    date: datetime | None
    """The shop's clock at that moment."""


class Shop:
    """Reads and writes the shop's orders and customers.

    Parameters
    ----------
    config:
        The shop's configuration.
    client:
        How it is called; by default a new client, which `close` closes.
    """

    def __init__(self, config: MagentoConfig, client: Client | None = None) -> None:
        self.config = config
        self.client = client or Client(config)
        self._views: dict[str, StoreView] = {}
        self._ask_views_again = 0.0
        self._skus: dict[str, str] = {}
        self._attributes: set[str] = set()

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def order(self, order_id: str) -> Seen | None:
        """Return an order, or ``None`` when there is none of this id.

        A search confirms a 404, which a wrong address or a missing route would give as well.
        """
        number = _entity_id(order_id)
        try:
            answer = await self.client.get(f"orders/{number}")
        except MagentoError as error:
            if error.status == 404:
                return await self._searched_order(number)
            raise _permanent(error) from None
        except BodyTooLargeError as error:
            raise _permanent(error) from None
        return Seen(answer.decoded(OrderJson), answer.date)

    async def _searched_order(self, number: int) -> Seen | None:
        only_it = [Filter("entity_id", "eq", str(number))]
        answer = await self._search("orders", only_it, 1)
        rows = answer.decoded(Rows[OrderJson]).items
        return Seen(rows[0], answer.date) if rows else None

    async def write_order_number(self, order_id: str, number: str) -> None:
        """Write an external number to an order and nothing else; a second time does no harm.

        Raises
        ------
        MagentoError
            The shop refused it; an unknown order is refused with 400 for want of a payment.
        """
        body = {"entity": {"entity_id": _entity_id(order_id), "ext_order_id": number}}
        await self.client.send("POST", "orders", body=body, repeatable=True)

    async def invoices(self, order_id: str) -> list[InvoiceJson]:
        """Return an order's invoices."""
        answer = await self._search("invoices", [Filter("order_id", "eq", str(_entity_id(order_id)))], 300)
        return answer.decoded(Rows[InvoiceJson]).items or []

    async def customers(self, ids: Iterable[str]) -> dict[str, CustomerJson | Unintelligible]:
        """Return the accounts of these ids, by id, in one call; what does not exist is missing."""
        wanted = sorted({str(_entity_id(one)) for one in ids}, key=int)
        found: dict[str, CustomerJson | Unintelligible] = {}
        for start in range(0, len(wanted), MOST_IDS):
            found.update(await self._accounts(wanted[start : start + MOST_IDS]))
        return found

    async def _accounts(self, ids: Sequence[str]) -> dict[str, CustomerJson | Unintelligible]:
        """Read accounts in one call, in halves where the answer is too long."""
        try:
            parameters = criteria([any_of("entity_id", ids)], size=len(ids))
            answer = await self.client.get("customers/search", parameters)
        except MagentoError as error:
            raise _permanent(error) from None
        except BodyTooLargeError as error:
            if len(ids) == 1:
                return {ids[0]: Unintelligible(int(ids[0]), str(error))}
            middle = len(ids) // 2
            return await self._accounts(ids[:middle]) | await self._accounts(ids[middle:])
        rows = (_account(raw, answer.where) for raw in answer.decoded(Page).items or [])
        return {str(one.id): one for one in rows}

    async def customer(self, customer_id: str) -> CustomerJson | None:
        """Return an account, or ``None`` when there is none of this id."""
        found = (await self.customers([customer_id])).get(str(_entity_id(customer_id)))
        if isinstance(found, Unintelligible):
            raise Permanent(
                f"Magento's customer {found.id} cannot be read: {found.reason}.",
                "Correct the account in Magento, then send the message again.",
            )
        return found

    async def customers_with(self, emails: Iterable[str]) -> dict[tuple[str, str], CustomerJson]:
        """Return the accounts that have these e-mail addresses, by website and normalised address, in one call."""
        wanted = sorted({one for one in map(normalised_email, emails) if 3 <= len(one) <= 254 and "," not in one})
        found: dict[tuple[str, str], CustomerJson] = {}
        for start in range(0, len(wanted), MOST_EMAILS):
            part = wanted[start : start + MOST_EMAILS]
            answer = await self._search("customers/search", [any_of("email", part)], 300)
            rows = answer.decoded(Rows[CustomerJson]).items or []
            found.update(((text(one.website_id), normalised_email(one.email)), one) for one in rows)
        return found

    async def customer_with(self, website: str, email: str) -> CustomerJson | None:
        """Return the account of a website that has an e-mail address."""
        return (await self.customers_with([email])).get((website, normalised_email(email)))

    async def write_customer(self, customer_id: int, fields: Mapping[str, Any]) -> None:
        """Change an account's named fields; addresses are never among them, for an empty list deletes all.

        Raises
        ------
        MagentoError
            The shop refused it, e.g. because the e-mail address is taken.
        """
        body = {"customer": {"id": customer_id, **fields}}
        await self.client.send("PUT", f"customers/{customer_id}", body=body, repeatable=True)

    async def create_customer(self, fields: Mapping[str, Any]) -> None:
        """Open an account without a password; not repeatable, so look for it before trying again.

        Raises
        ------
        MagentoError
            The shop refused it.
        """
        await self.client.send("POST", "customers", body={"customer": dict(fields)})

    async def store_view(self, store_id: str) -> StoreView | None:
        """Return a store view by its id; configuration decides over what Magento says."""
        view = self.config.stores.get(store_id) or self._views.get(store_id)
        if view is None and time.monotonic() >= self._ask_views_again:
            view = (await self.load_store_views()).get(store_id)
        return view

    async def store_id(self, code: str) -> str | None:
        """Return the id of the store view with this code."""
        known = {view.code: one for views in (self._views, self.config.stores) for one, view in views.items()}
        if code not in known and time.monotonic() >= self._ask_views_again:
            known = {view.code: one for one, view in (await self.load_store_views()).items()}
        return known.get(code)

    async def load_store_views(self) -> dict[str, StoreView]:
        """Ask the shop for its store views."""
        try:
            answer = await self.client.get("store/storeViews")
        except MagentoError as error:
            raise _permanent(error) from None
        rows = answer.decoded(list[StoreViewJson])
        self._views = {text(row.id): StoreView(code=row.code, website=text(row.website_id)) for row in rows}
        self._ask_views_again = time.monotonic() + VIEWS_SECONDS
        return self._views

    async def product_skus(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Return products' own SKUs by product id; asks only for those not seen yet."""
        wanted = sorted({one for one in ids if one.isascii() and one.isdigit()} - self._skus.keys(), key=int)
        if len(self._skus) + len(wanted) > MOST_PRODUCTS:
            self._skus.clear()
        for start in range(0, len(wanted), MOST_IDS):
            part = wanted[start : start + MOST_IDS]
            answer = await self._search("products", [any_of("entity_id", part)], len(part), "items[id,sku]")
            rows = answer.decoded(Rows[ProductJson]).items or []
            self._skus.update((text(row.id), text(row.sku)) for row in rows)
        return self._skus

    async def has_attribute(self, code: str) -> bool:
        """Return whether accounts have a custom attribute of this code."""
        if code in self._attributes:
            return True
        try:
            await self.client.get(f"attributeMetadata/customer/attribute/{code}")
        except MagentoError as error:
            if error.status == 404:
                return False
            raise _permanent(error) from None
        self._attributes.add(code)
        return True

    async def _search(self, path: str, filters: Sequence[Filter], size: int, fields: str = "") -> Answer:
        try:
            return await self.client.get(path, criteria(filters, size=size, fields=fields))
        except (MagentoError, BodyTooLargeError) as error:
            raise _permanent(error) from None


def _entity_id(text_id: str) -> int:
    try:
        return msgspec.convert(text_id, EntityId, strict=False)
    except msgspec.ValidationError:
        raise Permanent(
            "The message names an order or customer by something that is no Magento id.",
            "Look at whoever published it.",
        ) from None


def _account(raw: msgspec.Raw, where: str) -> CustomerJson | Unintelligible:
    try:
        return msgspec.json.decode(raw, type=CustomerJson)
    except (msgspec.DecodeError, RecursionError) as error:
        return Unintelligible(_row_id(raw, where), str(error))


def _row_id(raw: msgspec.Raw, where: str) -> int:
    try:
        return msgspec.json.decode(raw, type=_RowId).id
    except (msgspec.DecodeError, RecursionError):
        raise Permanent(
            f"Magento answered {where} with an account without an id.",
            "Look for an extension that changes customers.",
        ) from None


def _permanent(error: MagentoError | BodyTooLargeError) -> Permanent:
    remedy = "Correct what Magento names" if isinstance(error, MagentoError) else "Raise magento.max_body_bytes"
    return Permanent(f"{error}".rstrip(".") + ".", f"{remedy}, then send the message again.")
