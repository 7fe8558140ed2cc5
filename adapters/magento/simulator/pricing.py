"""Prices as Magento computes them for a shop whose catalogue and shipping prices include VAT.

Tax is computed "on total" with Magento's delta rounding: what rounding one line leaves over is carried to the next
line of the same rate, shipping last (recording ``search/02_empty_criteria``, order 3: 15.00 gross shipping has 2.40 tax
there, and 2.39 alone).
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

STORE_RATE = Decimal(19)
"""Per cent of VAT contained in catalogue prices."""
SHIPPING_GROSS = Decimal("5.00")
"""Flat rate per piece, in euro with VAT."""
CENT = Decimal("0.01")
ZERO = Decimal(0)


class Coupon(Struct, frozen=True):
    """A cart rule behind a coupon code."""

    rule_id: int
    percent: Decimal
    free_shipping: bool = False


COUPONS = {"TEN": Coupon(1, Decimal(10)), "FREE": Coupon(2, Decimal(100), free_shipping=True)}


class Line(Struct, frozen=True):
    """What is priced: a top-level item of a cart."""

    gross: Decimal
    """Unit price in euro with German VAT."""
    quantity: Decimal
    virtual: bool


class Priced(Struct, frozen=True):
    """One line in one currency; `row` and `row_gross` are before the discount."""

    unit: Decimal
    unit_gross: Decimal
    row: Decimal
    row_gross: Decimal
    tax: Decimal
    """After the discount."""
    compensation: Decimal
    """Tax that the discount took away."""
    discount: Decimal
    original: Decimal


class Totals(Struct, frozen=True):
    """A cart in one currency."""

    lines: tuple[Priced, ...]
    shipping: Decimal
    shipping_gross: Decimal
    shipping_tax: Decimal
    rate: Decimal
    """Per cent of VAT for the place of delivery."""

    @property
    def subtotal(self) -> Decimal:
        """Net value of the lines before discounts."""
        return sum((line.row for line in self.lines), ZERO)

    @property
    def subtotal_gross(self) -> Decimal:
        """Gross value of the lines before discounts."""
        return sum((line.row_gross for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        """Discount on the lines, positive."""
        return sum((line.discount for line in self.lines), ZERO)

    @property
    def compensation(self) -> Decimal:
        """Tax that discounts took away."""
        return sum((line.compensation for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        """All tax, shipping included."""
        return sum((line.tax for line in self.lines), ZERO) + self.shipping_tax

    @property
    def grand_total(self) -> Decimal:
        """What the buyer owes."""
        return self.subtotal + self.shipping + self.tax + self.compensation - self.discount


def cents(amount: Decimal) -> Decimal:
    """Round to the cent, halves away from zero, as PHP does."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def rate_for(country: str) -> Decimal:
    """Return the VAT rate in per cent for a place of delivery; the shop has a tax rule for Germany alone."""
    return STORE_RATE if country == "DE" else ZERO


class _Rounding:
    """Rounds, and carries what was left over to the next amount."""

    def __init__(self) -> None:
        self._left = ZERO

    def __call__(self, amount: Decimal) -> Decimal:
        exact = amount + self._left
        rounded = cents(exact)
        self._left = exact - rounded
        return rounded


def totals(
    lines: Sequence[Line],
    country: str,
    exchange: Decimal,
    coupon: Coupon | None,
    *,
    discount_on_gross: bool,
) -> Totals:
    """Price a cart in one currency.

    Parameters
    ----------
    country:
        Of delivery, or of the bill where nothing is delivered.
    exchange:
        Units of the currency per euro.
    discount_on_gross:
        Whether percentages apply to gross or to net values.
    """
    rate = rate_for(country)
    before, after, discounts = _Rounding(), _Rounding(), _Rounding()
    priced = []
    for line in lines:
        original = cents(line.gross * exchange)
        unit_gross = original if rate else cents(original - _contained(original, STORE_RATE))
        row_gross = cents(unit_gross * line.quantity)
        full_tax = before(_contained(row_gross, rate))
        row = row_gross - full_tax
        basis = row_gross if discount_on_gross else row
        discount = discounts(basis * coupon.percent / 100) if coupon else ZERO
        tax = after(_contained(max(row_gross - discount, ZERO), rate))
        unit = cents(row / line.quantity)
        priced.append(Priced(unit, unit_gross, row, row_gross, tax, full_tax - tax, discount, original))
    pieces = sum((line.quantity for line in lines if not line.virtual), ZERO)
    charged = ZERO if coupon and coupon.free_shipping else SHIPPING_GROSS * pieces * exchange
    shipping_gross = cents(charged if rate else charged - _contained(charged, STORE_RATE))
    shipping_tax = after(_contained(shipping_gross, rate))
    return Totals(tuple(priced), shipping_gross - shipping_tax, shipping_gross, shipping_tax, rate)


def _contained(gross: Decimal, rate: Decimal) -> Decimal:
    return gross * rate / (100 + rate)
