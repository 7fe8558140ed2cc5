"""Accounts to begin with, and historic orders for benchmarks, written as the API would write them."""

import asyncio
import random
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from . import customers
from .catalogue import choose
from .clock import written
from .config import Store
from .placement import Payment, Placed, place
from .pricing import Line, totals
from .shop import Shop
from .shopper import PASSWORD
from .state import Doc

_FIRST = ("Jane", "Jürgen", "Zoë", "Anna", "Peter", "Miriam", "Oskar", "Lena", "Karl", "Ida")
_LAST = ("Doe", "Müller", "Schmidt", "Weiß", "Berg", "Sommer", "Krüger", "Vogel", "Brandt", "Kühn")
_PLAIN = str.maketrans({"ü": "ue", "ë": "e", "ß": "ss"})
_SKUS = ("MUG-01", "TEE-01")
MAX_BATCH = 1_000_000
CHUNK = 500


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Historic orders to load: a loading aid, since placing them one by one takes a checkout each."""

    count: Annotated[int, Meta(ge=1, le=MAX_BATCH)]
    seed: int = 1
    days: Annotated[float, Meta(gt=0, le=3650)] = 365.0
    """The orders are spread evenly over this many days up to now."""
    store_id: int = 1
    guest_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of orders without an account; the others belong to the accounts there are, in turn."""
    guests: Annotated[int, Meta(ge=1)] = 20
    """Different e-mail addresses among the guests."""


def seed_customers(shop: Shop) -> None:
    """Open the configured accounts in a shop that has none yet."""
    if shop.state.one("SELECT 1 FROM customer LIMIT 1"):
        return
    with shop.state.transaction():
        for index in range(shop.config.registered_customers):
            first, last = _name(index)
            email = f"{first}.{last}.{index}@company{index}.example".lower().translate(_PLAIN)
            _open(shop, index, email, f"{10_001 + index:010}")
        for index in range(shop.config.prospects):
            first, last = _name(index)
            email = f"prospect{index}.{first}.{last}@prospect{index}.example".lower().translate(_PLAIN)
            _open(shop, index, email, shop.config.default_customer_number)


def _name(index: int) -> tuple[str, str]:
    return _FIRST[index % len(_FIRST)], _LAST[index // len(_FIRST) % len(_LAST)]


def _open(shop: Shop, index: int, email: str, number: str) -> None:
    first, last = _name(index)
    address = _address(index, email) | {"region": {"region_id": 82}, "default_billing": True, "default_shipping": True}
    attributes = [{"attribute_code": "sap_customer_number", "value": number}]
    given: Doc = {"email": email, "firstname": first, "lastname": last, "website_id": 1, "store_id": 1}
    customers.add(shop, {**given, "addresses": [address], "custom_attributes": attributes}, PASSWORD)


def _address(index: int, email: str) -> dict[str, Any]:
    first, last = _name(index)
    return {
        "firstname": first,
        "lastname": last,
        "email": email,
        "country_id": "DE",
        "region_id": 82,
        "street": [f"Am Markt {index % 200 + 1}"],
        "postcode": "10115",
        "city": "Berlin",
        "telephone": "030 99",
    }


async def load_orders(shop: Shop, batch: Batch) -> list[int]:
    """Write historic orders with the rows that checkout writes; return the first and the last id.

    Raises
    ------
    KeyError
        Where the store view does not exist.
    """
    draw = random.Random(batch.seed)  # noqa: S311 - repeatable on purpose
    store = shop.stores.by_id[batch.store_id]
    accounts = shop.state.all("SELECT id, email FROM customer WHERE website_id = ? ORDER BY id", store.website_id)
    now = shop.state.clock.epoch()
    first = last = 0
    for start in range(0, batch.count, CHUNK):
        with shop.state.transaction():
            for index in range(start, min(start + CHUNK, batch.count)):
                account = accounts[index % len(accounts)] if accounts and draw.random() >= batch.guest_share else None
                guest = draw.randrange(batch.guests)
                buyer = _Buyer(account["id"], account["email"]) if account else _guest(guest)
                age = batch.days * 86400 * (batch.count - 1 - index) / batch.count
                last = place(shop, _historic(shop, store, buyer, draw), written(now - age))
                first = first or last
        # Other requests have their turn between two chunks.
        await asyncio.sleep(0)
    return [first, last]


class _Buyer(Struct, frozen=True):
    customer_id: int | None
    email: str
    number: int = 0


def _guest(number: int) -> _Buyer:
    return _Buyer(None, f"guest{number}@guests.example", number)


def _historic(shop: Shop, store: Store, buyer: _Buyer, draw: random.Random) -> Placed:
    chosen = [(choose(sku, None), draw.randint(1, 5)) for sku in draw.sample(_SKUS, draw.randint(1, 2))]
    lines = [Line(each.gross, Decimal(pieces), virtual=False) for each, pieces in chosen]
    now, base = (
        totals(lines, "DE", rate, None, discount_on_gross=shop.discount_on_gross)
        for rate in (shop.stores.rate(store), Decimal(1))
    )
    items = tuple(
        ({"item_id": shop.state.next("quote_item"), "qty": str(pieces), "children": []}, each)
        for each, pieces in chosen
    )
    address = _address(buyer.customer_id or buyer.number, buyer.email)
    return Placed(
        quote_id=shop.state.next("quote"),
        store=store,
        customer_id=buyer.customer_id,
        email=buyer.email,
        billing=address,
        shipping=address,
        shipping_method="flatrate_flatrate",
        items=items,
        coupon_code=None,
        coupon=None,
        payment=Payment("checkmo", "Check / Money order"),
        now=now,
        base=base,
    )
