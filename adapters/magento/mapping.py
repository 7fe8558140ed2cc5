"""From Magento's order JSON to the canonical order: pure, and checked for what cannot be an order.

Field names and formulas follow the recordings ``orders/*`` and ``search/02_empty_criteria``. Magento's web API rewrites
``row_total``, so a line's amounts start from ``row_total_incl_tax``; amounts keep the precision of the shop's columns.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from adapters.magento.config import StoreView
from adapters.magento.rest_types import (
    AddressJson,
    Amount,
    CustomerJson,
    ItemJson,
    OptionsJson,
    OrderExtensionsJson,
    OrderJson,
    Scalar,
    ShippingJson,
    text,
)
from schemas.identifiers import alpha, customer_key
from schemas.order import (
    Address,
    Buyer,
    Component,
    Item,
    Option,
    Order,
    OrderRef,
    Payment,
    Shipping,
    Totals,
)

_PRECISION = Decimal("0.0001")
"""Magento's columns are DECIMAL(20,4); more digits are noise of PHP's number formatting."""
_LARGEST = Decimal(10) ** 15
_NOTHING = Decimal(0)


class UnreadableError(Exception):
    """The JSON cannot be an order; the text names the field and holds no personal data."""


def order_of(
    order: OrderJson,
    store: StoreView,
    account: CustomerJson | None,
    *,
    sap_customer_number: str,
    product_skus: Mapping[str, str] | None = None,
) -> Order:
    """Return the canonical order.

    Parameters
    ----------
    store:
        The order's store view.
    account:
        The buyer's account; ``None`` for a guest, or where the account is gone.
    sap_customer_number:
        Code of the customer attribute that holds the SAP customer number.
    product_skus:
        SKU by product id, for items whose own SKU a custom option has changed.

    Raises
    ------
    UnreadableError
        A field that every order has is missing, too long or no number.
    """
    gross = _amount(order.grand_total, "grand_total", required=True)
    tax = _amount(order.tax_amount, "tax_amount")
    billing = _address(order.billing_address)
    shipping = _shipping_part(order)
    mapped = Order(
        ref=order_ref(order, store),
        website=store.website,
        placed_at=moment(order.created_at),
        updated_at=moment(order.updated_at),
        state=text(order.state),
        status=text(order.status),
        currency=_required(order.order_currency_code, "order_currency_code"),
        base_currency=_required(order.base_currency_code, "base_currency_code"),
        base_to_order_rate=_amount(order.base_to_order_rate, "base_to_order_rate") or Decimal(1),
        buyer=_buyer(order, store, account, sap_customer_number, billing),
        billing=billing,
        items=_items(order.items or [], product_skus or {}),
        shipping=_shipping(order, shipping),
        payment=_payment(order),
        totals=Totals(
            net=gross - tax,
            tax=tax,
            gross=gross,
            discount_gross=_plain(abs(_amount(order.discount_amount, "discount_amount"))),
            base_gross=_amount(order.base_grand_total, "base_grand_total", required=True),
        ),
        delivery=_address(shipping.address) if shipping and shipping.address else None,
        coupon_code=text(order.coupon_code),
        comment=text(order.customer_note),
        is_virtual=_flag(order.is_virtual),
    )
    return _within_limits(mapped)


def order_ref(order: OrderJson, store: StoreView) -> OrderRef:
    """Return which order it is."""
    increment_id = _required(order.increment_id, "increment_id")
    return OrderRef(store=store.code, order_id=str(order.entity_id), increment_id=increment_id)


def account_id_of(order: OrderJson) -> str | None:
    """Return the buyer's account id, or ``None`` for a guest checkout and for an account deleted since."""
    number = text(order.customer_id)
    return number.lstrip("0") or None if number.isascii() and number.isdigit() else None


def moment(text_utc: str) -> datetime:
    """Return one of Magento's times, which are in UTC and do not say so.

    Raises
    ------
    UnreadableError
        There is no such time.
    """
    try:
        return datetime.fromisoformat(text_utc).replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableError("a time of the order is none") from None


def attribute(account: CustomerJson, code: str) -> str:
    """Return a custom attribute's value as text, empty when it is unset."""
    for one in account.custom_attributes or []:
        if one.attribute_code == code and isinstance(one.value, str | int | float):
            return text(one.value).strip()
    return ""


def sku_was_changed(item: ItemJson) -> bool:
    """Return whether a custom option may have appended to the item's SKU."""
    options = _options_of(item)
    return bool(options and options.custom_options)


def _within_limits(order: Order) -> Order:
    """Check lengths and forms of every field as whoever receives the message will."""
    try:
        return msgspec.convert(msgspec.to_builtins(order), Order)
    except msgspec.ValidationError as error:
        raise UnreadableError(str(error)) from None


def _buyer(
    order: OrderJson, store: StoreView, account: CustomerJson | None, sap_attribute: str, billing: Address
) -> Buyer:
    """Return who placed the order.

    An account belongs to one website, whichever of them it orders in where accounts are shared, and its own website
    makes its key. Its current address counts, since the order keeps the one of its day.
    """
    account_id = str(account.id) if account else account_id_of(order)
    email = (account.email if account else "") or text(order.customer_email)
    website = (text(account.website_id) if account else "") or store.website
    default = next((a for a in (account.addresses or []) if _flag(a.default_billing)), None) if account else None
    return Buyer(
        key=customer_key(website, account_id, email),
        email=email,
        account_id=account_id,
        first_name=text(order.customer_firstname) or billing.first_name,
        last_name=text(order.customer_lastname) or billing.last_name,
        company=(text(default.company) if default else "") or billing.company,
        vat_id=text(order.customer_taxvat) or (text(account.taxvat) if account else "") or billing.vat_id,
        group_id=text(order.customer_group_id),
        sap_customer_number=alpha(attribute(account, sap_attribute)) if account else "",
    )


def _address(address: AddressJson | None) -> Address:
    if address is None:
        raise UnreadableError("billing_address is missing")
    street = [address.street] if isinstance(address.street, str) else address.street or []
    return Address(
        first_name=text(address.firstname),
        last_name=text(address.lastname),
        company=text(address.company),
        street=tuple(text(line) for line in street),
        postcode=text(address.postcode),
        city=text(address.city),
        region=text(address.region),
        region_code=text(address.region_code),
        country=text(address.country_id),
        telephone=text(address.telephone),
        email=text(address.email),
        vat_id=text(address.vat_id),
    )


def _items(items: Sequence[ItemJson], product_skus: Mapping[str, str]) -> tuple[Item, ...]:
    children: dict[str, list[ItemJson]] = {}
    for item in items:
        if parent := text(item.parent_item_id):
            children.setdefault(parent, []).append(item)
    top_level = [item for item in items if not text(item.parent_item_id)]
    return tuple(_item(item, children.get(text(item.item_id), []), product_skus) for item in top_level)


def _item(item: ItemJson, children: Sequence[ItemJson], product_skus: Mapping[str, str]) -> Item:
    """Return a line with its components.

    Prices stand in the parent, with its children at 0. In a bundle of dynamic price they stand in the children, whose
    discounts the parent does not repeat (by Magento's source, no recording shows one): their sum is the line.
    """
    priced = [child for child in children if child.price] or [item]
    sku = _required(item.sku, "items.sku")
    gross = _sum(priced, "row_total_incl_tax", required=True)
    tax = _sum(priced, "tax_amount")
    discount = abs(_sum(priced, "discount_amount"))
    compensation = _sum(priced, "discount_tax_compensation_amount")
    own_sku = product_skus.get(text(item.product_id), "") if sku_was_changed(item) else ""
    return Item(
        item_id=_required(item.item_id, "items.item_id"),
        sku=sku,
        name=text(item.name),
        product_type=text(item.product_type),
        quantity=_amount(item.qty_ordered, "items.qty_ordered", required=True),
        unit_price_net=_amount(item.price, "items.price"),
        unit_price_gross=_amount(item.price_incl_tax, "items.price_incl_tax"),
        net=_plain(gross - tax),
        tax=tax,
        gross=gross,
        tax_percent=_tax_percent(priced, gross - tax, tax),
        discount_net=_plain(discount - compensation),
        discount_gross=discount,
        product_sku=own_sku if own_sku != sku else "",
        is_virtual=_flag(item.is_virtual),
        options=_options(item),
        components=tuple(
            Component(
                item_id=_required(child.item_id, "items.item_id"),
                sku=_required(child.sku, "items.sku"),
                name=text(child.name),
                quantity=_amount(child.qty_ordered, "items.qty_ordered", required=True),
            )
            for child in children
        ),
    )


def _tax_percent(priced: Sequence[ItemJson], net: Decimal, tax: Decimal) -> Decimal:
    rates = {_amount(one.tax_percent, "items.tax_percent") for one in priced}
    if len(rates) == 1:
        return rates.pop()
    return _plain((100 * tax / net).quantize(_PRECISION)) if net else _NOTHING


def _sum(items: Sequence[ItemJson], field: str, *, required: bool = False) -> Decimal:
    amounts = (_amount(getattr(one, field), f"items.{field}", required=required) for one in items)
    return _plain(sum(amounts, _NOTHING))


def _options_of(item: ItemJson) -> OptionsJson | None:
    options = item.product_option.extension_attributes if item.product_option else None
    return options if isinstance(options, OptionsJson) else None


def _options(item: ItemJson) -> tuple[Option, ...]:
    """Return the buyer's choices; Magento names options and values by their ids, texts stand as they were typed."""
    options = _options_of(item)
    if options is None:
        return ()
    kinds = (
        ("custom", options.custom_options),
        ("configurable", options.configurable_item_options),
        ("bundle", options.bundle_options),
    )
    return tuple(
        Option(name=f"{kind} option {_shown(choice.get('option_id'))}"[:512], value=_choice(choice))
        for kind, choices in kinds
        for choice in choices or []
    )


def _choice(choice: Mapping[str, Any]) -> str:
    if "option_selections" in choice:
        return f"{_shown(choice.get('option_qty'))} x {_shown(choice['option_selections'])}"
    return _shown(choice.get("option_value"))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    if isinstance(value, str | int | float) or value is None:
        return text(value)
    return msgspec.json.encode(value).decode()


def _shipping_part(order: OrderJson) -> ShippingJson | None:
    extensions = order.extension_attributes
    assignments = extensions.shipping_assignments if isinstance(extensions, OrderExtensionsJson) else None
    return assignments[0].shipping if assignments else None


def _shipping(order: OrderJson, part: ShippingJson | None) -> Shipping:
    """Return shipping after discount, by the sum from which Magento makes the grand total."""
    tax = _amount(order.shipping_tax_amount, "shipping_tax_amount")
    discount = abs(_amount(order.shipping_discount_amount, "shipping_discount_amount"))
    compensation = _amount(order.shipping_discount_tax_compensation_amount, "shipping_discount_tax_compensation_amount")
    net = _amount(order.shipping_amount, "shipping_amount") + compensation - discount
    return Shipping(
        method=text(part.method) if part else "",
        description=text(order.shipping_description),
        net=_plain(net),
        tax=tax,
        gross=_plain(net + tax),
        discount_gross=_plain(discount),
    )


def _payment(order: OrderJson) -> Payment:
    payment = order.payment
    if payment is None:
        raise UnreadableError("payment is missing")
    return Payment(
        method=_required(payment.method, "payment.method"),
        purchase_order_number=text(payment.po_number).strip(),
        amount_paid=_amount(payment.amount_paid, "payment.amount_paid"),
        amount_authorised=_amount(payment.amount_authorized, "payment.amount_authorized"),
    )


def _required(value: Scalar, field: str) -> str:
    found = text(value)
    if not found:
        raise UnreadableError(f"{field} is missing")
    return found


def _amount(value: Amount, field: str, *, required: bool = False) -> Decimal:
    if value is None:
        if required:
            raise UnreadableError(f"{field} is missing")
        return _NOTHING
    try:
        if abs(value) < _LARGEST:
            return _plain(value.quantize(_PRECISION))
    except InvalidOperation:
        pass
    raise UnreadableError(f"{field} is no amount")


def _plain(value: Decimal) -> Decimal:
    """Return a decimal without trailing zeros or an exponent, so that equal amounts look equal."""
    whole = value.to_integral_value()
    return whole.quantize(Decimal(1)) + 0 if value == whole else value.normalize()


def _flag(value: Scalar) -> bool:
    return text(value).lower() in {"1", "true"}
