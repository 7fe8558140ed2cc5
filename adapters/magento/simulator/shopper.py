"""Buyers: they open accounts and place orders through Magento's own REST API, as a shop front does.

The requests are those of the recordings ``customers/create`` and ``flow/*`` (Magento 2.4.7-p3).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
from msgspec import Struct

PASSWORD = "Buyer-0-Password"  # noqa: S105 - every simulated buyer's; opens nothing but the simulator
REGIONS = {"DE": 82, "US": 12, "FR": 182}


class Person(Struct, frozen=True):
    """Who buys, and where the goods go."""

    email: str
    first_name: str
    last_name: str
    company: str = ""
    country: str = "DE"
    city: str = "Berlin"
    postcode: str = "10115"
    street: tuple[str, ...] = ("Am Markt 1",)
    telephone: str = "030 99"


class Line(Struct, frozen=True):
    """What is bought."""

    sku: str
    quantity: Decimal


class _Cart(Struct, frozen=True):
    http: aiohttp.ClientSession
    url: str
    quote_id: int | str
    headers: Mapping[str, str] | None


def address_of(person: Person) -> dict[str, Any]:
    """Return the address as a checkout sends it."""
    address: dict[str, Any] = {
        "country_id": person.country,
        "street": list(person.street),
        "postcode": person.postcode,
        "city": person.city,
        "firstname": person.first_name,
        "lastname": person.last_name,
        "email": person.email,
        "telephone": person.telephone,
    }
    if person.country in REGIONS:
        address["region_id"] = REGIONS[person.country]
    if person.company:
        address["company"] = person.company
    return address


async def _send(
    http: aiohttp.ClientSession, method: str, url: str, body: Any, headers: Mapping[str, str] | None = None
) -> Any:
    async with http.request(method, url, json=body, headers=headers) as response:
        if response.status != 200:
            text = (await response.text())[:500]
            raise RuntimeError(f"{method} {response.url.path} answered {response.status}: {text}")
        return await response.json()


async def open_account(  # noqa: PLR0913 - a form has that many fields
    http: aiohttp.ClientSession,
    shop: str,
    admin_token: str,
    person: Person,
    *,
    website_id: int = 1,
    store_id: int = 1,
    attributes: Mapping[str, str] | None = None,
) -> int:
    """Open a customer account and return its Magento id.

    Parameters
    ----------
    shop:
        Base URL, e.g. ``"http://127.0.0.1:8080"``.
    admin_token:
        Bearer token that may save customers.
    attributes:
        Custom attributes by code, e.g. ``sap_customer_number``.

    Raises
    ------
    RuntimeError
        When the shop answers with anything but 200.
    """
    address = {key: value for key, value in address_of(person).items() if key not in ("email", "region_id")}
    if person.country in REGIONS:
        address["region"] = {"region_id": REGIONS[person.country]}
    customer = {
        "email": person.email,
        "firstname": person.first_name,
        "lastname": person.last_name,
        "website_id": website_id,
        "store_id": store_id,
        "addresses": [{**address, "default_billing": True, "default_shipping": True}],
        "custom_attributes": [{"attribute_code": code, "value": value} for code, value in (attributes or {}).items()],
    }
    body = {"customer": customer, "password": PASSWORD}
    headers = {"Authorization": f"Bearer {admin_token}"}
    return int((await _send(http, "POST", f"{shop}/rest/V1/customers", body, headers))["id"])


async def log_in(http: aiohttp.ClientSession, shop: str, person: Person, store: str = "default") -> str:
    """Log a customer in and return its token."""
    body = {"username": person.email, "password": PASSWORD}
    return str(await _send(http, "POST", f"{shop}/rest/{store}/V1/integration/customer/token", body))


async def place_as_guest(  # noqa: PLR0913 - what a checkout asks for
    http: aiohttp.ClientSession,
    shop: str,
    person: Person,
    lines: Sequence[Line],
    *,
    store: str = "default",
    payment: Mapping[str, str] | None = None,
) -> int:
    """Place an order without an account; return its Magento ``entity_id``."""
    cart = await _send(http, "POST", f"{shop}/rest/{store}/V1/guest-carts", {})
    url = f"{shop}/rest/{store}/V1/guest-carts/{cart}"
    return await _check_out(_Cart(http, url, str(cart), None), person, lines, payment)


async def place_as_customer(  # noqa: PLR0913 - what a checkout asks for
    http: aiohttp.ClientSession,
    shop: str,
    token: str,
    person: Person,
    lines: Sequence[Line],
    *,
    store: str = "default",
    payment: Mapping[str, str] | None = None,
) -> int:
    """Place an order with the account that `token` (see `log_in`) belongs to; return its Magento ``entity_id``."""
    headers = {"Authorization": f"Bearer {token}"}
    cart = await _send(http, "POST", f"{shop}/rest/{store}/V1/carts/mine", {}, headers)
    url = f"{shop}/rest/{store}/V1/carts/mine"
    return await _check_out(_Cart(http, url, cart, headers), person, lines, payment)


async def _check_out(cart: _Cart, person: Person, lines: Sequence[Line], payment: Mapping[str, str] | None) -> int:
    for line in lines:
        item = {"cartItem": {"sku": line.sku, "qty": float(line.quantity), "quote_id": cart.quote_id}}
        await _send(cart.http, "POST", f"{cart.url}/items", item, cart.headers)
    address = address_of(person)
    shipping = {
        "addressInformation": {
            "shipping_address": address,
            "billing_address": address,
            "shipping_method_code": "flatrate",
            "shipping_carrier_code": "flatrate",
        }
    }
    await _send(cart.http, "POST", f"{cart.url}/shipping-information", shipping, cart.headers)
    paid: dict[str, Any] = {"paymentMethod": payment or {"method": "checkmo"}, "billing_address": address}
    if cart.headers is None:
        paid["email"] = person.email
    return int(await _send(cart.http, "POST", f"{cart.url}/payment-information", paid, cart.headers))
