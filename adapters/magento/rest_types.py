"""What is read of Magento's JSON; unknown fields are ignored, omitted ones are null.

Scalars are taken as numbers or strings, since the recordings show both for one kind of field; money and quantities
become decimals from the JSON's own text, never floats.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Raw, Struct

Scalar: TypeAlias = Annotated[str, Meta(max_length=10_000)] | int | float | bool | None
Amount: TypeAlias = Decimal | None
MagentoTime: TypeAlias = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")]
"""``YYYY-MM-DD HH:MM:SS``, UTC whatever the store's zone."""
NEVER = "0000-00-00 00:00:00"
"""What MySQL shows where a time was never set."""
EntityId: TypeAlias = Annotated[int, Meta(ge=1, lt=10**18)]


LONGEST_NUMBER = 25
"""Digits; Magento's columns have 20."""


class OrderKey(Struct, frozen=True):
    """What every order of a page must have, however broken the rest of it is."""

    entity_id: EntityId
    updated_at: MagentoTime
    increment_id: Scalar = None
    store_id: Scalar = None

    def __post_init__(self) -> None:
        """Refuse a time that there is not: whoever reads on from it would never come further."""
        if self.updated_at != NEVER:
            datetime.fromisoformat(self.updated_at)


class Numbers(Struct, frozen=True):
    """Refuses numbers that no amount and no quantity can be: strings such as ``"NaN"`` are decimals too.

    Raises
    ------
    ValueError
        A number is none, or has more than `LONGEST_NUMBER` digits before or behind the point.
    """

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if (
                isinstance(value, Decimal)
                and value
                and not (value.is_finite() and abs(value.adjusted()) < LONGEST_NUMBER)
            ):
                raise ValueError(f"{name} is no number of a usual size")


class AddressJson(Struct, frozen=True):
    """``billing_address``, and the address of a shipping assignment."""

    firstname: Scalar = None
    lastname: Scalar = None
    company: Scalar = None
    street: list[Scalar] | str | None = None
    postcode: Scalar = None
    city: Scalar = None
    region: Scalar = None
    region_code: Scalar = None
    country_id: Scalar = None
    telephone: Scalar = None
    email: Scalar = None
    vat_id: Scalar = None


class OptionsJson(Struct, frozen=True):
    """``product_option.extension_attributes``: names are ids, values whatever the kind of option holds."""

    custom_options: list[dict[str, Any]] | None = None
    configurable_item_options: list[dict[str, Any]] | None = None
    bundle_options: list[dict[str, Any]] | None = None


class ProductOptionJson(Struct, frozen=True):
    """``product_option`` of an item."""

    extension_attributes: OptionsJson | list[Any] | None = None
    """PHP writes an empty map as an empty list."""


class ItemJson(Numbers, frozen=True):
    """One of ``items``: a flat list in which children name their parent."""

    item_id: Scalar = None
    parent_item_id: Scalar = None
    product_id: Scalar = None
    product_type: Scalar = None
    sku: Scalar = None
    name: Scalar = None
    is_virtual: Scalar = None
    qty_ordered: Amount = None
    qty_invoiced: Amount = None
    qty_shipped: Amount = None
    qty_refunded: Amount = None
    qty_canceled: Amount = None
    price: Amount = None
    price_incl_tax: Amount = None
    row_total_incl_tax: Amount = None
    tax_amount: Amount = None
    tax_percent: Amount = None
    discount_amount: Amount = None
    discount_tax_compensation_amount: Amount = None
    product_option: ProductOptionJson | None = None


class PaymentJson(Numbers, frozen=True):
    """``payment``."""

    method: Scalar = None
    po_number: Scalar = None
    amount_paid: Amount = None
    amount_authorized: Amount = None
    base_amount_authorized: Amount = None


class ShippingJson(Struct, frozen=True):
    """``shipping`` of a shipping assignment; a virtual order's has neither field."""

    address: AddressJson | None = None
    method: Scalar = None


class AssignmentJson(Struct, frozen=True):
    """One of ``extension_attributes.shipping_assignments``."""

    shipping: ShippingJson | None = None


class OrderExtensionsJson(Struct, frozen=True):
    """``extension_attributes`` of an order."""

    shipping_assignments: list[AssignmentJson] | None = None


class OrderJson(Numbers, frozen=True):
    """An order as ``GET /V1/orders/{id}`` and the search return it."""

    entity_id: EntityId
    updated_at: MagentoTime
    created_at: MagentoTime
    increment_id: Scalar = None
    store_id: Scalar = None
    state: Scalar = None
    status: Scalar = None
    ext_order_id: Scalar = None
    customer_id: Annotated[int, Meta(ge=0, lt=10**18)] | Annotated[str, Meta(pattern=r"^\d{0,18}$")] | None = None
    customer_email: Scalar = None
    customer_firstname: Scalar = None
    customer_lastname: Scalar = None
    customer_group_id: Scalar = None
    customer_taxvat: Scalar = None
    customer_note: Scalar = None
    coupon_code: Scalar = None
    is_virtual: Scalar = None
    order_currency_code: Scalar = None
    base_currency_code: Scalar = None
    base_to_order_rate: Amount = None
    grand_total: Amount = None
    base_grand_total: Amount = None
    tax_amount: Amount = None
    discount_amount: Amount = None
    total_due: Amount = None
    shipping_description: Scalar = None
    shipping_amount: Amount = None
    shipping_tax_amount: Amount = None
    shipping_discount_amount: Amount = None
    shipping_discount_tax_compensation_amount: Amount = None
    items: list[ItemJson] | None = None
    billing_address: AddressJson | None = None
    payment: PaymentJson | None = None
    extension_attributes: OrderExtensionsJson | list[Any] | None = None


class Page(Struct, frozen=True):
    """A search's answer whose rows are decoded one by one, so that a broken one spoils no other."""

    items: list[Raw] | None = None
    total_count: int = 0


class AttributeJson(Struct, frozen=True):
    """One of ``custom_attributes``; a multiselect's value is a list."""

    attribute_code: str
    value: Any = None


class CustomerAddressJson(Struct, frozen=True):
    """One of a customer's ``addresses``."""

    default_billing: Scalar = None
    company: Scalar = None
    vat_id: Scalar = None


class CustomerJson(Struct, frozen=True):
    """A customer account."""

    id: EntityId
    email: Annotated[str, Meta(max_length=512)] = ""
    firstname: Scalar = None
    lastname: Scalar = None
    website_id: Scalar = None
    taxvat: Scalar = None
    addresses: list[CustomerAddressJson] | None = None
    custom_attributes: list[AttributeJson] | None = None


class StoreViewJson(Struct, frozen=True):
    """One of ``GET /V1/store/storeViews``."""

    id: Scalar
    code: Annotated[str, Meta(max_length=64)]
    website_id: Scalar


class InvoiceItemJson(Numbers, frozen=True):
    """One of an invoice's ``items``."""

    order_item_id: Scalar = None
    qty: Amount = None


class InvoiceJson(Numbers, frozen=True):
    """An invoice; state 1 is open, 2 paid, 3 cancelled."""

    entity_id: Scalar = None
    state: Scalar = None
    grand_total: Amount = None
    items: list[InvoiceItemJson] | None = None


class ProductJson(Struct, frozen=True):
    """A product, as far as it is asked for."""

    id: Scalar = None
    sku: Scalar = None


def text(value: Scalar) -> str:
    """Return a scalar as text; null becomes the empty string.

    >>> text(7), text("0007"), text(None)
    ('7', '0007', '')
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
