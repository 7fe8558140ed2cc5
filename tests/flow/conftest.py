"""A running system that the tests of one module share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from tests.conftest import virtual_host
from tests.flow.shop import Shop
from tests.flow.wire import Wire
from tests.stack import Stack, running_stack

TOGETHER = (
    "magento-orders+magento-customers+magento-order-numbers",
    "router+contacts",
    "ecc-orders+ecc-holds+ecc-customers+ecc-registrations+ecc-releases+ecc-clear-flags",
)
"""Every service, several to a process, which starts sooner than each in one of its own."""


class Running(Struct, frozen=True):
    """A running system, and what tests look at and use in it."""

    stack: Stack
    wire: Wire
    shop: Shop

    def sales_orders(self, increment_id: str, store: str = "default") -> list[dict[str, object]]:
        """Return the sales orders of one order."""
        return [one for one in self.stack.sales_orders() if one["purch_no_c"] == f"{store}-{increment_id}"]

    def row(self, increment_id: str) -> dict[str, object]:
        """Return the pending row of one order."""
        return next(row for row in self.stack.pending_orders() if row["increment_id"] == increment_id)

    def rows(self, increment_id: str) -> list[dict[str, object]]:
        """Return the pending rows of one order: one or none."""
        return [row for row in self.stack.pending_orders() if row["increment_id"] == increment_id]


Run = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(scope="module")
def module_broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the AMQP URL of a virtual host that the tests of a module share."""
    yield from virtual_host(request)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, module_broker_url: str) -> Run:
    """Return what runs a system with the settings given: section of the configuration to further lines of it."""
    directory: Path = tmp_path_factory.mktemp("system")

    @contextmanager
    def running(settings: Mapping[str, str], services: Sequence[str] = TOGETHER) -> Iterator[Running]:
        stack = Stack(directory, module_broker_url, f"sqlite:///{directory}/bus.db", settings=settings)
        with running_stack(stack, services):
            wire = Wire(module_broker_url)
            try:
                yield Running(stack, wire, Shop(stack))
            finally:
                wire.close()

    return running
