"""What happens in the shop besides buying: people invoice, cancel and hold orders, and delete accounts."""

import json
import sqlite3
import urllib.request
from contextlib import closing
from typing import Any

from tests.stack import ADMIN_TOKEN, Stack


class Shop:
    """The shop of a stack, used by the people who work in it.

    Parameters
    ----------
    stack:
        Whose shop.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST API as an administrator; `path` stands behind ``/rest/V1/``."""
        request = urllib.request.Request(
            f"{self._stack.shop_url}/rest/V1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN_TOKEN}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def order(self, order_id: int) -> dict[str, Any]:
        """Return an order as the simulator shows it."""
        return next(order for order in self._stack.orders() if order["entity_id"] == order_id)

    def number(self, order_id: int) -> str:
        """Return an order's increment id."""
        increment_id: str = self.order(order_id)["increment_id"]
        return increment_id

    def account(self, email: str) -> dict[str, Any]:
        """Return an account by the e-mail address that it has now."""
        return next(one for one in self._stack.shop_customers() if one["email"] == email)

    def number_of_account(self, email: str) -> str:
        """Return the SAP customer number that an account carries."""
        return str(self.account(email)["attributes"].get("sap_customer_number") or "")

    def invoice(self, order_id: int) -> None:
        """Invoice a whole order, which pays it."""
        self.call("POST", f"order/{order_id}/invoice", {"capture": True})

    def cancel(self, order_id: int) -> None:
        """Cancel an order."""
        self.call("POST", f"orders/{order_id}/cancel")

    def put_on_hold(self, order_id: int) -> None:
        """Put an order on hold."""
        self.call("POST", f"orders/{order_id}/hold")

    def delete_account(self, email: str) -> None:
        """Delete an account."""
        self.call("DELETE", f"customers/{self.account(email)['id']}")

    def delete_order(self, order_id: int) -> None:
        """Delete an order, as clean-up extensions do it: in the database, for the API has no such call."""
        with closing(sqlite3.connect(self._stack.directory / "magento.db", timeout=30)) as database, database:
            database.execute("DELETE FROM sales_order WHERE entity_id = ?", (order_id,))
