"""The table of services: what each takes and what it publishes.

Topology, permissions, documentation and the dependency checks all follow from this table; the code behind each row is
put together in `orderbus.wiring`.
"""

from bus.service import Row
from schemas import messages as m

ROUTER = Row(
    "router",
    consumes=(m.OrderPlaced, m.OrderHeld, m.CustomerUpdated, m.OrderReleased),
    publishes=(m.AddSalesOrder, m.HoldOrder, m.RegisterCustomer, m.ReleaseOrders, m.FetchOrder),
)
"""Turns events into commands by the routing rules."""
MAGENTO_ORDERS = Row("magento-orders", consumes=(m.FetchOrder,), publishes=(m.OrderPlaced, m.OrderWithdrawn))
"""Reads orders from the shop, by watermark and on request."""
MAGENTO_CUSTOMERS = Row("magento-customers", consumes=(m.CustomerRegistered,), publishes=(m.CustomerUpdated,))
"""Writes to the shop's customer what ECC decided."""
MAGENTO_ORDER_NUMBERS = Row("magento-order-numbers", consumes=(m.OrderSynced,), publishes=(m.OrderAcknowledged,))
"""Writes the SAP order number to the shop's order."""
ECC_ORDERS = Row("ecc-orders", consumes=(m.AddSalesOrder,), publishes=(m.OrderSynced,))
"""Writes sales orders, each once."""
ECC_HOLDS = Row("ecc-holds", consumes=(m.HoldOrder,), publishes=(m.OrderHeld, m.OrderSynced))
"""Records orders that wait for their customer."""
ECC_CUSTOMERS = Row("ecc-customers", consumes=(m.RegisterCustomer,), publishes=(m.CustomerRegistered,))
"""Finds customers in ECC, or creates them."""
ECC_REGISTRATIONS = Row("ecc-registrations", publishes=(m.CustomerRegistered,))
"""Notices customers that people registered in ECC."""
ECC_RELEASES = Row("ecc-releases", consumes=(m.ReleaseOrders,), publishes=(m.OrderReleased,))
"""Hands out a registered customer's waiting orders."""
ECC_CLEAR_FLAGS = Row("ecc-clear-flags", consumes=(m.OrderSynced, m.OrderWithdrawn), publishes=(m.OrderCleared,))
"""Flags the rows of orders that wait no longer."""
CONTACTS = Row("contacts", consumes=(m.CustomerRegistered,))
"""Keeps contact persons in the bus's own database."""
RECONCILE = Row(
    "reconcile",
    publishes=(m.OrderPlaced, m.OrderSynced, m.OrderReleased, m.OrderWithdrawn, m.CustomerRegistered),
)
"""Compares the two systems on a schedule, and heals what it may by publishing what should have been published."""

TABLE: tuple[Row, ...] = (
    MAGENTO_ORDERS,
    ROUTER,
    ECC_ORDERS,
    ECC_HOLDS,
    ECC_CUSTOMERS,
    ECC_REGISTRATIONS,
    MAGENTO_CUSTOMERS,
    CONTACTS,
    ECC_RELEASES,
    ECC_CLEAR_FLAGS,
    MAGENTO_ORDER_NUMBERS,
    RECONCILE,
)
"""Every service, in the order in which an order meets them."""
ROW_NAMED: dict[str, Row] = {row.name: row for row in TABLE}
"""The row of each service name."""
