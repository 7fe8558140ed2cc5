"""An order's amounts as conditions, so that ECC's net value is the shop's to the cent.

Each line carries its amounts as a whole (see `adapters.ecc.config.Condition`), each already rounded to the currency:
the price before discount, and the discount as what is missing from it to the line's net. So ECC adds up the numbers
that the shop shows and rounds none.
"""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from adapters.ecc.config import Condition, Conditions
from adapters.ecc.mapping.fields import Row, fitted, flags
from schemas.failures import Permanent
from schemas.order import Item, Shipping

HEADER = "000000"
"""ITM_NUMBER of what belongs to the whole order."""
KEYS = ("ITM_NUMBER", "COND_ST_NO", "COND_COUNT", "COND_TYPE")
WHOLE = 99_999
"""The largest COND_P_UNT: KPEIN is DEC5."""


class Pricing(Struct, frozen=True):
    """What all conditions of an order have in common."""

    conditions: Conditions
    currency: str
    cent: Decimal
    """The smallest amount of the currency."""
    where: str
    """Names the order in error texts."""


def item_conditions(pricing: Pricing, item: Item, number: str, unit: str) -> Iterator[Row]:
    """Yield a line's conditions: price, discount and tax.

    Parameters
    ----------
    number:
        The line's ITM_NUMBER.
    unit:
        Its sales unit.

    Raises
    ------
    Permanent
        An amount cannot be sent as configured, or does not fit.
    """
    conditions = pricing.conditions
    # A negative discount is none: with ECC's sign for discounts it would be subtracted, so it stays in the price.
    carried = conditions.discount is not None and item.discount_net > 0
    discount = item.discount_net.quantize(pricing.cent) if carried else Decimal(0)
    amounts = [(conditions.price, item.net + discount)]
    if conditions.discount is not None and discount:
        amounts.append((conditions.discount, -discount))
    if conditions.tax is not None and item.tax:
        amounts.append((conditions.tax, item.tax))
    for condition, amount in amounts:
        per = _per(pricing, item, unit) if condition.sent == "per_quantity" else {}
        yield _row(pricing, condition, number, amount, **per)


def header_conditions(pricing: Pricing, shipping: Shipping, missing: Decimal) -> Iterator[Row]:
    """Yield the conditions of the whole order: freight and its tax, and what rounding left.

    Parameters
    ----------
    missing:
        What lines and shipping miss to the order's net total.

    Raises
    ------
    Permanent
        Shipping costs something and no condition type carries it, or an amount does not fit.
    """
    conditions = pricing.conditions
    if shipping.net:
        if conditions.freight is None:
            raise Permanent(
                f"{pricing.where}: shipping costs {shipping.net} {pricing.currency}, and no condition type carries it.",
                "Name one under `conditions.freight` of the store, and retry.",
            )
        yield _row(pricing, conditions.freight, HEADER, shipping.net)
    if conditions.tax is not None and shipping.tax:
        yield _row(pricing, conditions.tax, HEADER, shipping.tax)
    if conditions.round_off is not None and missing:
        yield _row(pricing, conditions.round_off, HEADER, missing)


def condition_flags(row: Row) -> Row:
    """Return the row of ORDER_CONDITIONS_INX that belongs to one of ORDER_CONDITIONS_IN."""
    return flags(row, KEYS)


def _row(pricing: Pricing, condition: Condition, number: str, amount: Decimal, **per: str | Decimal) -> Row:
    values = {
        "ITM_NUMBER": number,
        "COND_TYPE": condition.type,
        "COND_VALUE": amount.quantize(pricing.cent),
        "CURRENCY": pricing.currency,
        **per,
    }
    return fitted("BAPICOND", values, f"{pricing.where}, item {number}, condition {condition.type}")


def _per(pricing: Pricing, item: Item, unit: str) -> dict[str, str | Decimal]:
    if item.quantity != item.quantity.to_integral_value() or item.quantity > WHOLE:
        raise Permanent(
            f"{pricing.where}: the quantity {item.quantity} of line {item.item_id} cannot be a pricing unit,"
            f" which is whole and at most {WHOLE}.",
            'Use condition types of calculation type B for the store, with `sent = "fixed"`, and retry.',
        )
    return {"COND_UNIT": unit, "COND_P_UNT": item.quantity.quantize(Decimal(1))}
