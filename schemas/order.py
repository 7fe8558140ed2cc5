"""The canonical order: what any ERP needs to know of an order placed in a shop.

Money and quantities are decimals, strings on the wire; amounts are in the order's own currency.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

Identifier = Annotated[str, Meta(max_length=64)]
"""An id or code of another system, kept with its zeros."""
Line = Annotated[str, Meta(max_length=512)]
"""One line of text: a name, a street line, a description."""
Text = Annotated[str, Meta(max_length=10_000)]
"""Free text of several lines."""
Moment = Annotated[datetime, Meta(tz=True)]
"""A point in time, aware; UTC on the wire."""


class OrderRef(Struct, frozen=True):
    """Which order: enough to find it in Magento and to derive its key in ECC."""

    store: Identifier
    """Magento store view code, e.g. ``"default"``."""
    order_id: Identifier
    """Magento ``entity_id``, unique in the shop."""
    increment_id: Identifier
    """The number the buyer sees; unique only per store."""

    @property
    def subject(self) -> str:
        """CloudEvents subject of a message about the order."""
        return f"{self.store}/{self.increment_id}"

    @property
    def correlation_id(self) -> str:
        """The correlation id of every message about the order, whatever led to it."""
        return f"{self.store}-{self.increment_id}"


class Address(Struct, frozen=True, omit_defaults=True):
    """A postal address as the shop holds it."""

    first_name: Line = ""
    last_name: Line = ""
    company: Line = ""
    street: tuple[Line, ...] = ()
    postcode: Line = ""
    city: Line = ""
    region: Line = ""
    region_code: Line = ""
    country: Identifier = ""
    """ISO 3166-1 alpha-2."""
    telephone: Line = ""
    email: Line = ""
    vat_id: Line = ""


class Buyer(Struct, frozen=True, omit_defaults=True):
    """Who placed the order, as the shop knows them."""

    key: Line
    """The customer key, see `schemas.identifiers.customer_key`."""
    email: Line
    account_id: Identifier | None = None
    """Magento customer id; ``None`` for a guest checkout."""
    first_name: Line = ""
    last_name: Line = ""
    company: Line = ""
    """Company of the account's default billing address, else of the order's billing address."""
    vat_id: Line = ""
    group_id: Identifier = ""
    sap_customer_number: Identifier = ""
    """The account's SAP customer number in internal form; empty when it has none."""


class Component(Struct, frozen=True, omit_defaults=True):
    """A part of a configurable or bundle item; carries no price of its own."""

    item_id: Identifier
    sku: Line
    name: Line
    quantity: Decimal


class Option(Struct, frozen=True):
    """A choice the buyer made for an item, e.g. an engraving."""

    name: Line
    value: Text


class Item(Struct, frozen=True, omit_defaults=True):
    """An order line that carries a price."""

    item_id: Identifier
    sku: Line
    name: Line
    product_type: Identifier
    quantity: Decimal
    unit_price_net: Decimal
    """Before discount."""
    unit_price_gross: Decimal
    """Before discount."""
    net: Decimal
    """The whole line after discount, without tax."""
    tax: Decimal
    gross: Decimal
    """The whole line after discount, with tax."""
    tax_percent: Decimal
    discount_net: Decimal = Decimal(0)
    """Discount on the whole line without tax, positive: ``net + discount_net`` is the undiscounted line."""
    discount_gross: Decimal = Decimal(0)
    """Discount on the whole line as the shop shows it, positive."""
    product_sku: Line = ""
    """The product's own SKU where a custom option appended to `sku`; empty when it is the same."""
    is_virtual: bool = False
    options: tuple[Option, ...] = ()
    components: tuple[Component, ...] = ()


class Shipping(Struct, frozen=True, omit_defaults=True):
    """How the goods travel and what that costs after discount."""

    method: Identifier = ""
    """Carrier and method, e.g. ``"flatrate_flatrate"``; empty for virtual orders."""
    description: Line = ""
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    discount_gross: Decimal = Decimal(0)


class Payment(Struct, frozen=True, omit_defaults=True):
    """How the order is paid."""

    method: Identifier
    purchase_order_number: Line = ""
    """The buyer's own purchase order number."""
    amount_paid: Decimal = Decimal(0)
    amount_authorised: Decimal = Decimal(0)


class Totals(Struct, frozen=True):
    """What the shop shows for the whole order, in the order's currency, shipping included."""

    net: Decimal
    tax: Decimal
    gross: Decimal
    discount_gross: Decimal
    """Positive."""
    base_gross: Decimal
    """In the shop's base currency."""


class Order(Struct, frozen=True, omit_defaults=True):
    """An order as the shop shows it at one moment."""

    ref: OrderRef
    website: Identifier
    """Magento website id."""
    placed_at: Moment
    updated_at: Moment
    state: Identifier
    status: Identifier
    currency: Annotated[str, Meta(min_length=3, max_length=5)]
    base_currency: Annotated[str, Meta(min_length=3, max_length=5)]
    base_to_order_rate: Decimal
    buyer: Buyer
    billing: Address
    items: tuple[Item, ...]
    shipping: Shipping
    payment: Payment
    totals: Totals
    delivery: Address | None = None
    """``None`` for virtual orders, which are not shipped."""
    coupon_code: Line = ""
    comment: Text = ""
    is_virtual: bool = False
