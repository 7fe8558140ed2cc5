"""The message that every contender carries: a canonical order of about 2 KB, made from a recorded Magento order."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from adapters.magento.config import StoreView
from adapters.magento.mapping import order_of
from adapters.magento.rest_types import CustomerJson, OrderJson
from schemas.messages import Body, OrderPlaced
from schemas.order import Order, OrderRef

RECORDING = Path(__file__).parent.parent / "tests/recordings/magento/orders/get_registered.json"
"""A registered customer of a German shop; two lines, 19 % tax, a billing and a delivery address."""
SOLD_TO = "0000010001"
"""The SAP customer number of the buyer's account, so that the rules lead to AddSalesOrder."""
ATTRIBUTE = "sap_customer_number"
NUMBER = 999_999_999
"""Stands where a message's own number comes."""


class _Response(msgspec.Struct):
    body: OrderJson


class _Recording(msgspec.Struct):
    response: _Response


def order(number: int = 1) -> Order:
    """Return the recorded order under another number."""
    recorded = msgspec.json.decode(RECORDING.read_bytes(), type=_Recording, strict=False).response.body
    account = msgspec.convert(
        {"id": 1, "custom_attributes": [{"attribute_code": ATTRIBUTE, "value": SOLD_TO}]}, CustomerJson, strict=False
    )
    store = StoreView(code="default", website="1")
    mapped = order_of(recorded, store, account, sap_customer_number=ATTRIBUTE)
    ref = OrderRef(store=store.code, order_id=str(number), increment_id=f"{number:09d}")
    return msgspec.structs.replace(mapped, ref=ref)


def template() -> bytes:
    """Return the body of an OrderPlaced with ``@`` where whoever publishes it writes the order's number."""
    return numbered(OrderPlaced)


def numbered(body: Callable[[Order], Body], store: str = "default") -> bytes:
    """Return a body that is made of the order, with ``@`` where whoever publishes it writes the order's number.

    Parameters
    ----------
    store:
        The store view of the order; its number is unique in it.
    """
    one = order(NUMBER)
    one = msgspec.structs.replace(one, ref=msgspec.structs.replace(one.ref, store=store))
    text = str(NUMBER).encode()
    return msgspec.json.encode(body(one)).replace(text, b"@" * len(text))
