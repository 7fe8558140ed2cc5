"""An order's lines: items and their schedule lines."""

from adapters.ecc.config import Store
from adapters.ecc.dictionary import STRUCTURES
from adapters.ecc.mapping.amounts import plain
from adapters.ecc.mapping.fields import Row, fitted
from schemas.failures import Permanent
from schemas.order import Item

STEP = 10
"""Between two item numbers, so that people can insert others."""
SCHEDULE_LINE = "0001"


def item_number(position: int) -> str:
    """Return the ITM_NUMBER of the line at a position counted from zero.

    >>> item_number(0)
    '000010'
    """
    return str((position + 1) * STEP).zfill(6)


def item_row(item: Item, number: str, store: Store, where: str) -> Row:
    """Return a line as a row of ORDER_ITEMS_IN; its quantity goes to the schedule line.

    Raises
    ------
    Permanent
        A value does not fit, or the SKU has no material number.
    """
    text = " ".join(item.name.split())
    if store.shorten_texts:
        text = text[: STRUCTURES["BAPISDITM"]["SHORT_TEXT"].length].rstrip()
    values = {
        "ITM_NUMBER": number,
        "MATERIAL": material(item, store, where),
        "PLANT": store.plant,
        "SALES_UNIT": sales_unit(item, store),
        "SHORT_TEXT": text,
    }
    return fitted("BAPISDITM", values, f"{where}, item {number}")


def schedule_row(item: Item, number: str, wanted: str, where: str) -> Row:
    """Return a line's quantity as a row of ORDER_SCHEDULES_IN.

    Parameters
    ----------
    wanted:
        Requested delivery date, ``YYYYMMDD``.

    Raises
    ------
    Permanent
        The quantity does not fit.
    """
    values: Row = {
        "ITM_NUMBER": number,
        "SCHED_LINE": SCHEDULE_LINE,
        "REQ_DATE": wanted,
        "REQ_QTY": plain(item.quantity),
    }
    return fitted("BAPISCHDL", values, f"{where}, item {number}")


def material(item: Item, store: Store, where: str) -> str:
    """Return a line's material number.

    Where a custom option appended to the SKU, the whole SKU is looked up first, then the product's own.

    Raises
    ------
    Permanent
        The store takes listed SKUs alone, and this one is not listed.
    """
    product = item.product_sku or item.sku
    listed = store.materials.get(item.sku) or store.materials.get(product)
    if listed:
        return listed
    if store.material_rule == "listed":
        raise Permanent(
            f"{where}: SKU {item.sku[:80]!r} has no material number.",
            "Name it under `materials` of the store, and retry.",
        )
    number = product.strip().upper() if store.material_upper_case else product.strip()
    if store.material_rule == "numeric" and number.isascii() and number.isdigit():
        return number.zfill(STRUCTURES["BAPISDITM"]["MATERIAL"].length)
    return number


def sales_unit(item: Item, store: Store) -> str:
    """Return the unit in which a line's quantity counts."""
    return store.units.get(item.sku) or store.units.get(item.product_sku) or store.unit
