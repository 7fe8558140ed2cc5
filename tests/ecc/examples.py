"""A configuration and orders as the tests use them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from msgspec.structs import replace

from adapters.ecc.config import (
    Condition,
    Conditions,
    EccConfig,
    Simulator,
    Store,
    TextIds,
)
from schemas.envelope import Envelope, Handler, Message
from schemas.messages import AddSalesOrder, Body, Customer
from schemas.order import Address, Buyer, Item, Order, OrderRef, Payment, Shipping, Totals

CONDITIONS = Conditions(
    price=Condition(type="PR00", sent="per_quantity"),
    discount=Condition(type="RB00"),
    freight=Condition(type="HD00"),
    tax=Condition(type="ZTAX"),
)
STORE = Store(
    sales_org="1000",
    distribution_channel="10",
    division="00",
    document_type="TA",
    conditions=CONDITIONS,
    text_ids=TextIds(purchase_order="0001", comment="0002", item="0001"),
    plant="1000",
    payment_terms={"purchaseorder": "NT30", "checkmo": "0001"},
    shipping_conditions={"flatrate_flatrate": "01"},
    regions={"DE-BAY": "09", "DE-BER": "11"},
    time_zone="Europe/Berlin",
    reference_customer="1",
    credit_limit=Decimal("2500.00"),
    credit_control_area="1000",
)
CONFIG = EccConfig(connection=Simulator(url="http://127.0.0.1:1", passwd="simulator"), default=STORE)
ADDRESS = Address(
    first_name="Erika",
    last_name="Mustermann",
    street=("Am Markt 1",),
    postcode="10115",
    city="Berlin",
    region="Berlin",
    region_code="BER",
    country="DE",
    telephone="030 99",
    email="erika@example.com",
)
PLACED = datetime(2026, 11, 23, 3, 0, 3, tzinfo=UTC)


def line(  # noqa: PLR0917 - a row of a table
    item_id: str, sku: str, quantity: str, net: str, tax: str, discount_net: str = "0"
) -> Item:
    """Return a line whose gross is net plus tax."""
    amount, count = Decimal(net), Decimal(quantity)
    return Item(
        item_id=item_id,
        sku=sku,
        name=f"Name of {sku}",
        product_type="simple",
        quantity=count,
        unit_price_net=amount / count if count else amount,
        unit_price_gross=amount,
        net=amount,
        tax=Decimal(tax),
        gross=amount + Decimal(tax),
        tax_percent=Decimal(19),
        discount_net=Decimal(discount_net),
    )


def order(*items: Item, increment_id: str = "000000011", **changes: Any) -> Order:
    """Return an order of these lines with 4.20 EUR shipping; its totals are their sums unless given."""
    lines = items or (line("20", "MUG-01", "3", "27.48", "5.22", "2.52"), line("21", "TEE-01", "1", "18.32", "3.48"))
    shipping = changes.pop(
        "shipping", Shipping("flatrate_flatrate", "Flat Rate", Decimal("4.20"), Decimal("0.80"), Decimal("5.00"))
    )
    net = sum((one.net for one in lines), shipping.net) if all(one.net.is_finite() for one in lines) else Decimal(0)
    tax = sum((one.tax for one in lines), shipping.tax)
    whole = Order(
        ref=OrderRef(store="default", order_id="13", increment_id=increment_id),
        website="1",
        placed_at=PLACED,
        updated_at=PLACED,
        state="new",
        status="pending",
        currency="EUR",
        base_currency="EUR",
        base_to_order_rate=Decimal(1),
        buyer=Buyer(key="1:42", email="erika@example.com", account_id="42"),
        billing=ADDRESS,
        items=lines,
        shipping=shipping,
        payment=Payment(method="checkmo"),
        totals=Totals(net=net, tax=tax, gross=net + tax, discount_gross=Decimal(0), base_gross=net + tax),
        delivery=ADDRESS,
    )
    return replace(whole, **changes)


def customer(key: str = "1:42", **changes: Any) -> Customer:
    """Return a customer to register."""
    account = key.split(":")[1] if ":guest:" not in key else None
    whole = Customer(
        key=key,
        store="default",
        website="1",
        email=changes.pop("email", "erika@example.com"),
        currency="EUR",
        address=ADDRESS,
        account_id=account,
        first_name="Erika",
        last_name="Mustermann",
    )
    return replace(whole, **changes)


def message(body: Body, id_: str = "11111111-1111-4111-8111-111111111111") -> Message[Any]:
    """Return a message as a handler receives it."""
    return Message(Envelope(id=id_, source="/test", type="test", time=PLACED, correlation_id="test"), body)


def add(placed: Order, sold_to: str = "0000010001", contact: str = "") -> Message[AddSalesOrder]:
    """Return the command to write an order."""
    return message(AddSalesOrder(order=placed, sap_customer_number=sold_to, contact_person=contact))


def handled(handler: Handler[Any], given: Message[Any]) -> list[Any]:
    """Return what a blocking handler publishes because of a message."""
    return list(cast("Sequence[Body]", handler(given)))
