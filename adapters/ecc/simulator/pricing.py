"""The system's own pricing: net value and tax of each item from the conditions that a caller sent.

Condition amounts are kept as KONV-KBETR keeps them (CURR 11.2): with the currency's decimals, rounded half up. A finer
price per piece is therefore sent per several sales units (COND_P_UNT) or as a fixed amount of the line.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from adapters.ecc.simulator.config import ConditionType


class Condition(Struct, frozen=True):
    """One condition of an item or of the header."""

    type: ConditionType
    value: Decimal
    """An amount, or a percentage."""
    per: Decimal = Decimal(1)
    """Sales units that the amount is for."""


class Priced(Struct, frozen=True):
    """What an item is worth."""

    net_value: Decimal
    tax_amount: Decimal


def price(
    items: Mapping[str, tuple[Decimal, Sequence[Condition]]], header: Sequence[Condition], decimals: int
) -> dict[str, Priced]:
    """Return every item's net value and tax.

    A header condition's fixed amount is spread over the items by their values, what rounding leaves falling to the
    largest; other header conditions apply to each item.

    Parameters
    ----------
    items:
        Quantity in sales units and conditions, by item number.
    header:
        Conditions of the whole document.
    decimals:
        Decimal places of the document's currency.
    """
    nets = {number: _net(quantity, conditions, decimals) for number, (quantity, conditions) in items.items()}
    for condition in (condition for condition in header if condition.type.is_a != "tax"):
        shares = _shares(condition, items, nets, decimals)
        nets = {number: nets[number] + shares[number] for number in nets}
    taxes = {
        number: _tax(quantity, conditions, nets[number], decimals) for number, (quantity, conditions) in items.items()
    }
    for condition in (condition for condition in header if condition.type.is_a == "tax"):
        shares = _shares(condition, items, nets, decimals)
        taxes = {number: taxes[number] + shares[number] for number in taxes}
    return {number: Priced(nets[number], taxes[number]) for number in items}


def _net(quantity: Decimal, conditions: Sequence[Condition], decimals: int) -> Decimal:
    net = Decimal(0)
    for condition in conditions:
        if condition.type.is_a != "tax":
            net += _amount(condition, quantity, net, decimals)
    return net


def _tax(quantity: Decimal, conditions: Sequence[Condition], net: Decimal, decimals: int) -> Decimal:
    return sum((_amount(c, quantity, net, decimals) for c in conditions if c.type.is_a == "tax"), Decimal(0))


def _amount(condition: Condition, quantity: Decimal, base: Decimal, decimals: int) -> Decimal:
    if condition.type.calculation == "percent":
        amount = base * rounded(condition.value, 3) / 100
    elif condition.type.calculation == "quantity":
        amount = rounded(condition.value, decimals) * quantity / condition.per
    else:
        amount = condition.value
    # A discount's condition type has the plus/minus sign "negative": either sign of the input subtracts.
    return rounded(-abs(amount) if condition.type.is_a == "discount" else amount, decimals)


def _shares(
    condition: Condition,
    items: Mapping[str, tuple[Decimal, Sequence[Condition]]],
    nets: Mapping[str, Decimal],
    decimals: int,
) -> dict[str, Decimal]:
    """Return what a header condition adds to each item."""
    if condition.type.calculation != "fixed":
        return {number: _amount(condition, items[number][0], net, decimals) for number, net in nets.items()}
    amount = _amount(condition, Decimal(0), Decimal(0), decimals)
    total = sum(nets.values(), Decimal(0))
    shares = {number: rounded(amount * net / total, decimals) if total else Decimal(0) for number, net in nets.items()}
    largest = max(nets, key=lambda number: nets[number])
    shares[largest] += amount - sum(shares.values(), Decimal(0))
    return shares


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Round half up to so many decimals, as SAP's business arithmetic does."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
