"""A simulated shop filled from the recordings, with what tests need to move its rows about."""

import copy
import json
from typing import Any

from adapters.magento.config import MagentoConfig, OAuth1
from adapters.magento.simulator import customers, rows
from adapters.magento.simulator.config import INTEGRATION
from adapters.magento.simulator.faults import Faults, Planned
from adapters.magento.simulator.server import Simulator
from adapters.magento.simulator.state import ORDER_COLUMNS, packed
from tests.magento.recordings import body

AUTH = OAuth1(
    consumer_key=INTEGRATION.consumer_key,
    consumer_secret=INTEGRATION.consumer_secret,
    access_token=INTEGRATION.access_token,
    access_token_secret=INTEGRATION.token_secret,
)
SECOND = "2026-11-23 03:00:00"


class World:
    """A shop that runs."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.state = simulator.shop.state
        self.requests: list[str] = []

    def config(self, **settings: Any) -> MagentoConfig:
        """Return a configuration that reaches the shop."""
        defaults: dict[str, Any] = {"poll_interval": 1, "quiet_period": 0, "retries": 0, "request_timeout": 10}
        return MagentoConfig(url=self.simulator.url, auth=AUTH, **{**defaults, **settings})

    def add_order(self, order_id: int, updated_at: str = SECOND, kind: str = "guest", **changes: Any) -> None:
        """Put a recorded order into the shop under an id of its own."""
        order = copy.deepcopy(body(f"orders/get_{kind}"))
        order |= {"entity_id": order_id, "increment_id": f"{order_id:09}", "updated_at": updated_at}
        order |= {"created_at": updated_at, **changes}
        for name, value in changes.items():
            if value is None:
                order.pop(name)
        assignment = order["extension_attributes"]["shipping_assignments"][0]["shipping"]
        addresses = [order["billing_address"], *([assignment["address"]] if "address" in assignment else [])]
        for number, address in enumerate(addresses):
            address |= {"entity_id": 10 * order_id + number, "parent_id": order_id}
        order["payment"] |= {"entity_id": order_id, "parent_id": order_id}
        for number, item in enumerate(order["items"]):
            item |= {"item_id": 10 * order_id + number, "order_id": order_id}
        with self.state.transaction():
            rows.take(self.state, order)

    def change_order(self, order_id: int, **columns: Any) -> None:
        """Change columns of an order's row behind the shop's back."""
        row = self.state.one("SELECT doc, extra FROM sales_order WHERE entity_id = ?", order_id)
        assert row is not None
        doc = {**json.loads(row["doc"]), **columns}
        doc = {name: value for name, value in doc.items() if value is not None}
        self.state.put("sales_order", doc, ("entity_id", *ORDER_COLUMNS), {"extra": row["extra"]})

    def delete_order(self, order_id: int) -> None:
        """Delete an order."""
        self.state.run("DELETE FROM sales_order WHERE entity_id = ?", order_id)

    def order(self, order_id: int) -> dict[str, Any]:
        """Return an order as the API shows it."""
        read = rows.read(self.state, order_id)
        assert read is not None
        return rows.show(self.state, read)

    def add_customer(self, customer_id: int, email: str, website_id: int = 1, **attributes: str) -> None:
        """Put the recorded customer into the shop under an id of its own."""
        shown = copy.deepcopy(body("customers/get"))
        shown |= {"id": customer_id, "email": email, "website_id": website_id}
        for address in shown["addresses"]:
            address |= {"id": 100 + customer_id, "customer_id": customer_id}
        shown |= {"default_billing": str(100 + customer_id), "default_shipping": str(100 + customer_id)}
        shown["custom_attributes"] = [{"attribute_code": k, "value": v} for k, v in attributes.items()]
        with self.state.transaction():
            customers.take(self.simulator.shop, shown)

    def customer(self, customer_id: int) -> dict[str, Any]:
        """Return a customer as the API shows it."""
        return customers.show(self.state, *customers.load(self.simulator.shop, customer_id))

    def customer_ids(self) -> list[int]:
        """Return the ids of all accounts."""
        return [row["id"] for row in self.state.all("SELECT id FROM customer ORDER BY id")]

    def change_customer(self, customer_id: int, **attributes: str) -> None:
        """Change attributes of an account behind the shop's back."""
        self.state.run("UPDATE customer SET attributes = ? WHERE id = ?", packed(attributes), customer_id)

    def delete_customer(self, customer_id: int) -> None:
        """Delete an account."""
        self.state.run("DELETE FROM customer WHERE id = ?", customer_id)

    def fail_next(self, *planned: Planned, **faults: Any) -> None:
        """Let the next matching requests fail."""
        self.simulator.injector.set(Faults(planned=planned, **faults))
