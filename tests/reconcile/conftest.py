"""Both systems as a test of reconciling sees them: their state, and what people and accidents do to it."""

import contextlib
import io
import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.ecc.rfc import Session
from adapters.ecc.simulator.client import SimulatorConnection, connect
from orderbus.cli import status_of
from state.database import open_database
from state.migrations import migrate
from tests.ecc_simulator.conftest import condition, order
from tests.stack import ADMIN_TOKEN, Stack, net_of, post


class World:
    """A stack with what it takes to spoil it.

    Parameters
    ----------
    stack:
        Its simulators run.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.rfc: Session = connect(SimulatorConnection(url=stack.ecc_url))

    def order(self, order_id: int) -> dict[str, Any]:
        """Return an order as the shop's simulator shows it."""
        return next(order for order in self.stack.orders() if order["entity_id"] == order_id)

    def key(self, order_id: int) -> str:
        return f"default-{self.order(order_id)['increment_id']}"

    def rest(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Call the shop as somebody in its back office."""
        request = urllib.request.Request(
            f"{self.stack.shop_url}/rest/V1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN_TOKEN}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def write_number(self, order_id: int, number: str) -> None:
        """Overwrite the number that an order carries; an empty one removes it."""
        self.rest("orders", {"entity": {"entity_id": order_id, "ext_order_id": number}})

    def write_account(self, account: str, number: str) -> None:
        """Write a SAP customer number to an account, as somebody in the shop's back office."""
        was = self.rest(f"customers/{account}", method="GET")
        fields = {name: was[name] for name in ("email", "firstname", "lastname", "website_id")}
        attribute = {"attribute_code": "sap_customer_number", "value": number}
        self.rest(f"customers/{account}", {"customer": {**fields, "custom_attributes": [attribute]}}, "PUT")

    def cancel(self, order_id: int) -> None:
        assert self.rest(f"orders/{order_id}/cancel") is True

    def sell_by_hand(self, order_id: int, net: Decimal | None = None) -> str:
        """Create a sales order with an order's key, as somebody in ECC would, and return its number."""
        net = net_of(self.order(order_id)) if net is None else net
        given = order(self.key(order_id), ORDER_CONDITIONS_IN=[condition("ZPRF", str(net), item="000010")])
        number = self.rfc.call("BAPI_SALESORDER_CREATEFROMDAT2", **given)["SALESDOCUMENT"]
        assert number
        self.rfc.commit()
        return str(number)

    def hold(self, order_id: int, customer_key: str, **fields: str) -> None:
        """Add an order's pending row."""
        row = {
            "CUSTOMER_KEY": customer_key,
            "MAGENTO_ORDER_ID": str(order_id),
            "STORE": "default",
            "WEBSITE": "1",
            "EMAIL": "somebody@mail.example",
            **fields,
        }
        row.setdefault("INCREMENT_ID", row.get("INCREMENT_ID") or self.order(order_id)["increment_id"])
        row.setdefault("ORDER_KEY", f"default-{row['INCREMENT_ID']}")
        self.rfc.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)

    def register(self, customer_key: str, **decision: Any) -> None:
        """Register a customer, as people in ECC do."""
        post(f"{self.stack.ecc_url}/_simulator/customers", {"customer_key": customer_key, **decision})

    def registration(self, customer_key: str) -> dict[str, Any]:
        """Return what ECC says of a registered customer (ZORDERBUS_S_CUST)."""
        asked = {"CUSTOMER_KEY": customer_key}
        found = self.rfc.call("Z_ORDERBUS_CUSTOMER_REGISTER", IS_CUSTOMER=asked, IV_FIND_ONLY="X")["ES_CUSTOMER"]
        assert found["KUNNR"]
        return dict(found)

    def lease(self, customer_key: str, seconds: int) -> int:
        """Hand out a customer's rows to nobody, and return how many those were."""
        page = self.rfc.call(
            "Z_ORDERBUS_PENDING_GET",
            IV_CUSTOMER_KEY=customer_key,
            IV_LEASE_ID="lost",
            IV_LEASE_SECONDS=seconds,
            IV_MAX_ROWS=1000,
        )
        return len(page["ET_ROWS"])

    def run(self, *arguments: str, expect: int | None) -> str:
        """Run `orderbus reconcile` in this process, which is quicker, and return all that it printed.

        Without an exit status that is expected, 0 and 1 both are.
        """
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = status_of(["reconcile", "--config", str(self.stack.config), *arguments])
        assert status in ({0, 1} if expect is None else {expect}), output.getvalue()
        return output.getvalue()

    def reconcile(self, *arguments: str, expect: int | None = None) -> "Told":
        """Run `orderbus reconcile --json`."""
        return Told(json.loads(self.run("--json", *arguments, expect=expect)))

    def close(self) -> None:
        self.rfc.close()
        self.stack.close()


class Told:
    """What the command said."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.findings: list[dict[str, Any]] = answer["findings"]
        self.counts = {kind: count for kind, count in answer["counts"].items() if count}

    def kinds(self) -> dict[int, list[str]]:
        """Return the kinds of findings by order id."""
        found: dict[int, list[str]] = {}
        for finding in filter(lambda one: one["order_id"], self.findings):
            found.setdefault(int(finding["order_id"]), []).append(finding["kind"])
        return found

    def customers(self) -> dict[str, list[str]]:
        """Return the kinds of findings by SAP customer number."""
        found: dict[str, list[str]] = {}
        for finding in filter(lambda one: one["sap_customer_number"], self.findings):
            found.setdefault(finding["sap_customer_number"], []).append(finding["kind"])
        return found

    def of(self, order_id: int) -> dict[str, Any]:
        """Return an order's only finding."""
        (finding,) = [one for one in self.findings if one["order_id"] == str(order_id)]
        return finding


def configure(stack: Stack, **settings: float | bool) -> None:
    """Add the section ``reconcile`` to a stack's configuration."""
    lines = [f"{name} = {str(value).lower()}" for name, value in settings.items()]
    with stack.config.open("a") as file:
        file.write("\n".join(["", "[reconcile]", *lines, ""]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield both simulators without any service, where nothing is given time and people register customers."""
    stack = Stack(
        tmp_path,
        "memory://",
        f"sqlite:///{tmp_path}/bus.db",
        settings={"ecc": 'registration = "manual"', "magento": 'payment_gates = { purchaseorder = "never" }'},
    )
    configure(stack, grace=0)
    stack.start_systems()
    with contextlib.closing(open_database(f"sqlite:///{tmp_path}/bus.db")) as database:
        migrate(database)
    built = World(stack)
    yield built
    built.close()
