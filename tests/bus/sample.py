"""Messages and services for the bus's tests: an order of about 2 KB, and a small table of services."""

from datetime import UTC, datetime
from decimal import Decimal

from bus.service import Row
from schemas import messages as m
from schemas.envelope import Publication
from schemas.order import Address, Buyer, Item, Order, OrderRef, Payment, Shipping, Totals

ROUTER = Row("router", consumes=(m.OrderPlaced,), publishes=(m.AddSalesOrder,))
ORDERS = Row("ecc-orders", consumes=(m.AddSalesOrder,), publishes=(m.OrderSynced,))
NUMBERS = Row("magento-order-numbers", consumes=(m.OrderSynced,), publishes=(m.OrderAcknowledged,))
SHOP = Row("magento-orders", publishes=(m.OrderPlaced,))
TABLE = (ROUTER, ORDERS, NUMBERS, SHOP)


def order(number: int = 1) -> Order:
    """Return an order of a registered customer with three items."""
    address = Address(
        first_name="Jane",
        last_name="Doe",
        company="Acme GmbH",
        street=("Teststrasse 12", "Hinterhaus"),
        postcode="10115",
        city="Berlin",
        country="DE",
        telephone="+49 30 123456",
    )
    return Order(
        ref=OrderRef("default", str(number), f"{number:09}"),
        website="1",
        placed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
        state="new",
        status="pending",
        currency="EUR",
        base_currency="EUR",
        base_to_order_rate=Decimal(1),
        buyer=Buyer("1:7", "jane@acme.example", "7", "Jane", "Doe", "Acme GmbH", "", "1", "0000012345"),
        billing=address,
        items=tuple(
            Item(
                item_id=str(line),
                sku=f"24-MB0{line}",
                name=f"Joust Duffle Bag in colour {line}",
                product_type="simple",
                quantity=Decimal(2),
                unit_price_net=Decimal("34.00"),
                unit_price_gross=Decimal("40.46"),
                net=Decimal("68.00"),
                tax=Decimal("12.92"),
                gross=Decimal("80.92"),
                tax_percent=Decimal("19.0000"),
            )
            for line in range(1, 4)
        ),
        shipping=Shipping("flatrate_flatrate", "Flat Rate - Fixed", Decimal("5.00"), Decimal("0.95"), Decimal("5.95")),
        payment=Payment("checkmo", "PO-4711"),
        totals=Totals(Decimal("209.00"), Decimal("39.71"), Decimal("248.71"), Decimal(0), Decimal("248.71")),
        delivery=address,
    )


def placed(number: int) -> Publication:
    """Return what the shop publishes of an order."""
    return Publication(m.OrderPlaced(order(number)), f"placed-{number}", f"order-{number}", f"{number:09}")
