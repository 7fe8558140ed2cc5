"""Net values and taxes from the conditions that were sent."""

from decimal import Decimal

import pytest

from adapters.ecc.simulator.config import ConditionType
from adapters.ecc.simulator.pricing import Condition, Priced, price

PER_PIECE = ConditionType("price", "quantity")
LINE = ConditionType("price", "fixed")
DISCOUNT = ConditionType("discount", "fixed")
PERCENT_OFF = ConditionType("discount", "percent")
FREIGHT = ConditionType("freight", "fixed")
ROUNDING = ConditionType("rounding", "fixed")
TAX = ConditionType("tax", "percent")
TAX_AMOUNT = ConditionType("tax", "fixed")


def of(type_: ConditionType, value: str, per: int = 1) -> Condition:
    return Condition(type_, Decimal(value), Decimal(per))


@pytest.mark.parametrize(
    ("quantity", "conditions", "net", "tax"),
    [
        (2, [of(PER_PIECE, "10")], "20.00", "0"),
        (3, [of(PER_PIECE, "27.00", 3)], "27.00", "0"),
        # KBETR has two decimals: a finer price per piece is rounded before it is multiplied.
        (3, [of(PER_PIECE, "9.995")], "30.00", "0"),
        (3, [of(LINE, "29.99")], "29.99", "0"),
        (1, [of(PER_PIECE, "10"), of(DISCOUNT, "2.50")], "7.50", "0"),
        (1, [of(PER_PIECE, "10"), of(DISCOUNT, "-2.50")], "7.50", "0"),
        (1, [of(PER_PIECE, "10.05"), of(PERCENT_OFF, "10")], "9.04", "0"),
        (1, [of(PER_PIECE, "10"), of(ROUNDING, "-0.01")], "9.99", "0"),
        (1, [of(PER_PIECE, "10"), of(TAX, "19"), of(DISCOUNT, "1")], "9.00", "1.71"),
        (1, [of(PER_PIECE, "10"), of(TAX_AMOUNT, "1.90")], "10.00", "1.90"),
        (1, [], "0", "0"),
    ],
)
def test_an_items_value_follows_from_its_conditions(
    quantity: int, conditions: list[Condition], net: str, tax: str
) -> None:
    priced = price({"000010": (Decimal(quantity), conditions)}, [], 2)
    assert priced == {"000010": Priced(Decimal(net), Decimal(tax))}


def test_a_header_amount_is_spread_without_losing_a_cent() -> None:
    items = {f"{n:06}": (Decimal(1), [of(LINE, value)]) for n, value in ((10, "10"), (20, "10"), (30, "10.01"))}
    priced = price(items, [of(FREIGHT, "10.00")], 2)
    assert [item.net_value for item in priced.values()] == [Decimal("13.33"), Decimal("13.33"), Decimal("13.35")]
    free = price({"000010": (Decimal(1), [])}, [of(FREIGHT, "5")], 2)
    assert free["000010"].net_value == Decimal("5.00")


def test_tax_of_an_item_counts_its_share_of_the_freight() -> None:
    priced = price({"000010": (Decimal(1), [of(LINE, "10"), of(TAX, "10")])}, [of(FREIGHT, "5")], 2)
    assert priced["000010"] == Priced(Decimal("15.00"), Decimal("1.50"))


def test_a_header_percentage_applies_to_each_item() -> None:
    items = {"000010": (Decimal(1), [of(LINE, "10")]), "000020": (Decimal(1), [of(LINE, "30")])}
    priced = price(items, [of(PERCENT_OFF, "10")], 2)
    assert [item.net_value for item in priced.values()] == [Decimal("9.00"), Decimal("27.00")]


def test_a_currency_without_decimals() -> None:
    assert price({"000010": (Decimal(3), [of(PER_PIECE, "33.5")])}, [], 0)["000010"].net_value == Decimal(102)
