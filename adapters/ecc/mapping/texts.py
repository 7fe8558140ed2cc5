"""An order's texts: lines of at most 132 characters, of any number, so that none is cut."""

from collections.abc import Iterator

from adapters.ecc.config import Store
from adapters.ecc.dictionary import STRUCTURES
from adapters.ecc.mapping.conditions import HEADER
from adapters.ecc.mapping.fields import Row, fitted
from schemas.order import Item, Order

LINE = STRUCTURES["BAPISDTEXT"]["TEXT_LINE"].length
PARAGRAPH, CONTINUED = "*", "="
"""FORMAT_COL of a line that begins a paragraph, and of one that goes on without a break (SAPscript formats)."""


def header_texts(order: Order, store: Store, where: str) -> Iterator[Row]:
    """Yield the order's own texts: the buyer's purchase order number and comment, where text ids are configured."""
    ids = store.text_ids
    if ids.purchase_order and order.payment.purchase_order_number:
        yield from _rows(order.payment.purchase_order_number, HEADER, ids.purchase_order, store, where)
    if ids.comment and order.comment:
        yield from _rows(order.comment, HEADER, ids.comment, store, where)


def item_texts(item: Item, number: str, store: Store, where: str) -> Iterator[Row]:
    """Yield what a line's material number does not say: choices the buyer made, and the parts it consists of."""
    if not store.text_ids.item:
        return
    for option in item.options:
        yield from _rows(f"{option.name}: {option.value}", number, store.text_ids.item, store, where)
    for part in item.components:
        yield from _rows(
            f"{part.quantity.normalize():f} x {part.sku} {part.name}", number, store.text_ids.item, store, where
        )


def _rows(text: str, number: str, text_id: str, store: Store, where: str) -> Iterator[Row]:
    for paragraph in text.splitlines():
        for column, line in _lines(paragraph.rstrip()):
            values = {
                "ITM_NUMBER": number,
                "TEXT_ID": text_id,
                "LANGU": store.language,
                "FORMAT_COL": column,
                "TEXT_LINE": line,
            }
            yield fitted("BAPISDTEXT", values, f"{where}, text {text_id}")


def _lines(paragraph: str) -> Iterator[tuple[str, str]]:
    """Yield a paragraph's lines with their formats; one too long is broken anywhere and continued without a break.

    RFC strips spaces at the end of a line, so a piece never ends in one.
    """
    column, rest = PARAGRAPH, paragraph
    while len(rest) > LINE:
        end = len(rest[:LINE].rstrip()) or LINE
        yield column, rest[:end]
        column, rest = CONTINUED, rest[end:]
    yield column, rest
