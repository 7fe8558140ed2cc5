"""An order's amounts: bounded, and checked against its own totals. They are never recomputed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from schemas.failures import Permanent
from schemas.order import Order

DIGITS = 13
"""Digits before the point of CURR15.2, the type of ECC's net values."""
FINEST = Decimal("1E-9")
"""DEC28.9, the type of a condition's amount, has nine decimals; no input has more."""
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimal places of the currencies that have not two, by ISO 4217; a system's table TCURX may differ."""
LOOK_AT_THE_ORDER = (
    "Compare the order's lines with its totals in the shop; correct it there, then place it anew with "
    "`orderbus reconcile --repair`."
)


def smallest(currency: str, decimals: Mapping[str, int]) -> Decimal:
    """Return the smallest amount of a currency, e.g. 0.01.

    Parameters
    ----------
    decimals:
        Where ECC's currencies differ from ISO 4217: decimal places by currency.
    """
    return Decimal(1).scaleb(-decimals.get(currency, DECIMALS.get(currency, 2)))


def holdable(value: Decimal) -> bool:
    """Whether a number is finite and of a size that sums and ECC's fields keep exact.

    >>> holdable(Decimal("12.5")), holdable(Decimal("NaN")), holdable(Decimal("1E+999")), holdable(Decimal("1E-999"))
    (True, False, False, False)
    """
    return value.is_finite() and value.adjusted() < DIGITS and value == value.quantize(FINEST)


def plain(quantity: Decimal) -> Decimal:
    """Return a quantity that `holdable` accepts without trailing zeros and without an exponent.

    >>> plain(Decimal("2.0000")), plain(Decimal("0.1250")), plain(Decimal("1E+2"))
    (Decimal('2'), Decimal('0.125'), Decimal('100'))
    """
    return quantity.quantize(Decimal(1)) if quantity == quantity.to_integral_value() else quantity.normalize()


def check_totals(order: Order, cent: Decimal, tolerance: Decimal, where: str) -> Decimal:
    """Check that lines and shipping add up to the order's totals in net, tax and gross.

    Parameters
    ----------
    cent:
        The smallest amount of the order's currency; amounts that ECC books are multiples of it.
    tolerance:
        By how much they may miss the totals, in the order's currency; zero where no condition takes the difference.

    Returns
    -------
    Decimal
        What lines and shipping miss to the net total: zero, or what the round-off condition has to take.

    Raises
    ------
    Permanent
        There are no lines, or something does not add up; with the numbers.
    """
    if not order.items:
        raise Permanent(
            f"{where}: it has no lines.", "Look at the order in the shop; an order without lines is not written."
        )
    _check_numbers(order, cent, where)
    shipping, totals = order.shipping, order.totals
    for item in order.items:
        if item.net + item.tax != item.gross:
            raise Permanent(
                f"{where}: line {item.item_id} has net {item.net} and tax {item.tax}, but gross {item.gross}.",
                LOOK_AT_THE_ORDER,
            )
    sums = {
        "net": (sum((item.net for item in order.items), shipping.net), totals.net),
        "tax": (sum((item.tax for item in order.items), shipping.tax), totals.tax),
        "gross": (sum((item.gross for item in order.items), shipping.gross), totals.gross),
    }
    wrong = [
        f"{name} {added} where the order shows {shown}"
        for name, (added, shown) in sums.items()
        if abs(shown - added) > tolerance
    ]
    if totals.net + totals.tax != totals.gross:
        wrong.append(f"total net {totals.net} and tax {totals.tax} where the order shows gross {totals.gross}")
    if wrong:
        raise Permanent(
            f"{where}: lines and shipping add up to {', '.join(wrong)} {order.currency}.", LOOK_AT_THE_ORDER
        )
    added, shown = sums["net"]
    return shown - added


def _check_numbers(order: Order, cent: Decimal, where: str) -> None:
    """Check every number that reaches ECC or a sum, before any is added to another."""
    for name, value in (*_booked(order), *_unbooked(order)):
        if not holdable(value):
            raise Permanent(
                f"{where}: {name} is no number that ECC can hold ({str(value)[:40]}).",
                "Look at the order in the shop; if it shows the same there, it cannot be written to ECC as it is.",
            )
    for name, value in _booked(order):
        if value.remainder_near(cent):
            raise Permanent(
                f"{where}: {name} is {value}, but the smallest amount of {order.currency} is {cent}.", LOOK_AT_THE_ORDER
            )
    for item in order.items:
        if item.quantity <= 0:
            raise Permanent(
                f"{where}: the quantity of line {item.item_id} is {item.quantity}.",
                "Look at the order in the shop; only lines with a quantity above zero are written.",
            )


def _unbooked(order: Order) -> Iterable[tuple[str, Decimal]]:
    for item in order.items:
        yield f"discount of line {item.item_id}", item.discount_net
        yield f"quantity of line {item.item_id}", item.quantity
        for part in item.components:
            yield f"quantity of part {part.item_id}", part.quantity


def _booked(order: Order) -> Iterable[tuple[str, Decimal]]:
    for item in order.items:
        yield f"net of line {item.item_id}", item.net
        yield f"tax of line {item.item_id}", item.tax
        yield f"gross of line {item.item_id}", item.gross
    for part, amounts in (("shipping", order.shipping), ("total", order.totals)):
        yield f"{part} net", amounts.net
        yield f"{part} tax", amounts.tax
        yield f"{part} gross", amounts.gross
