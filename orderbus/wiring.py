"""The one place that wires everything together: behind each row of the table, its handler and what the handler needs.

Each recipe imports its adapter when it is used, so that a process pays for its own services alone.
"""

import asyncio
import functools
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bus.service import Service
from orderbus import services as rows
from orderbus.config import Config
from schemas import messages as m
from schemas.envelope import Handler, Message
from schemas.failures import Permanent

if TYPE_CHECKING:
    from adapters.ecc.sessions import Sessions
    from adapters.magento.shop import Shop
    from state.database import Database
    from state.kept import Lease


WRITE_BACKS = 64
"""Orders whose number is being written back at once: most of them wait for their quiet period to end."""


class Parts:
    """What the services of one process share, each part opened when it is first asked for.

    Parameters
    ----------
    config:
        The process's configuration.
    closing:
        Closes what was opened.
    """

    def __init__(self, config: Config, closing: AsyncExitStack) -> None:
        self.config = config
        self._closing = closing
        self.started_at = datetime.now(UTC)
        self.embedded = config.broker.embedded
        self.holder = f"{socket.gethostname()}:{os.getpid()}"

    @functools.cached_property
    def database(self) -> "Database":
        """The bus's own database, its migrations applied."""
        from state.database import open_database, require_current  # noqa: PLC0415 - only services that keep state pay
        from state.lease import free_all  # noqa: PLC0415

        database = open_database(self.config.database.url)
        self._closing.callback(database.close)
        require_current(database)
        if self.embedded:
            # This process is alone: whoever held a lease is dead.
            free_all(database)
        return database

    def lease(self, name: str, pause: float) -> "Lease":
        """Return a poller's lease; given back when the process ends, so that its replacement need not wait for its end.

        Parameters
        ----------
        pause:
            Seconds between two of its looks.
        """
        from state.kept import Lease  # noqa: PLC0415 - only pollers pay

        lease = Lease(self.database, name, self.holder, pause=pause)
        self._closing.push_async_callback(lease.give_back)
        return lease

    def open_sessions(self) -> "Sessions":
        """Return a pool of RFC sessions for one service; its threads keep theirs."""
        from adapters.ecc.connect import open_sessions  # noqa: PLC0415 - only ECC's services pay

        sessions = open_sessions(self.config.ecc)
        # Ending a session is a call like any other, and blocks.
        self._closing.push_async_callback(asyncio.to_thread, sessions.close)
        return sessions

    @functools.cached_property
    def shop(self) -> "Shop":
        """The shop's REST API."""
        from adapters.magento.shop import Shop  # noqa: PLC0415 - only Magento's services pay

        shop = Shop(self.config.magento)
        self._closing.push_async_callback(shop.close)
        return shop


def _router(parts: Parts) -> Service:
    from router.rules import decide  # noqa: PLC0415

    policy = parts.config.router

    def route(message: Message[m.Body]) -> Sequence[m.Body]:
        return decide(policy, message.body)

    handlers = dict.fromkeys(rows.ROUTER.consumes, route)
    return Service(rows.ROUTER, handlers, runs="inline")


def _magento_orders(parts: Parts) -> Service:
    from adapters.magento.orders import place_fetched_orders  # noqa: PLC0415
    from adapters.magento.publisher import LEASE, poll_orders  # noqa: PLC0415

    lease = parts.lease(LEASE, parts.config.magento.poll_interval)
    poll = poll_orders(parts.shop, parts.database, lease=lease, reread_unfinished=parts.embedded)
    return Service(
        rows.MAGENTO_ORDERS,
        {m.FetchOrder: place_fetched_orders(parts.shop)},
        concurrency=parts.config.magento.max_concurrent_requests,
        poll=poll,
    )


def _magento_customers(parts: Parts) -> Service:
    from adapters.magento.customers import update_customers  # noqa: PLC0415

    return Service(
        rows.MAGENTO_CUSTOMERS,
        {m.CustomerRegistered: update_customers(parts.shop)},
        concurrency=parts.config.magento.max_concurrent_requests,
    )


def _magento_order_numbers(parts: Parts) -> Service:
    from adapters.magento.order_numbers import write_order_numbers  # noqa: PLC0415

    return Service(
        rows.MAGENTO_ORDER_NUMBERS,
        {m.OrderSynced: write_order_numbers(parts.shop, parts.database)},
        concurrency=WRITE_BACKS,
    )


def _ecc_orders(parts: Parts) -> Service:
    from adapters.contacts.directory import contact_person_of  # noqa: PLC0415
    from adapters.ecc.orders import add_sales_orders  # noqa: PLC0415

    contact_of = functools.partial(contact_person_of, parts.database)
    handler = add_sales_orders(parts.open_sessions(), parts.config.ecc, contact_of)
    return Service(rows.ECC_ORDERS, {m.AddSalesOrder: handler}, runs="threads", concurrency=parts.config.ecc.sessions)


def _ecc_holds(parts: Parts) -> Service:
    from adapters.ecc.holds import hold_orders  # noqa: PLC0415

    handler = hold_orders(parts.open_sessions(), parts.config.ecc)
    return Service(rows.ECC_HOLDS, {m.HoldOrder: handler}, runs="threads", concurrency=parts.config.ecc.sessions)


def _ecc_customers(parts: Parts) -> Service:
    from adapters.ecc.customers import register_customers  # noqa: PLC0415

    handler = register_customers(parts.open_sessions(), parts.config.ecc)
    return Service(
        rows.ECC_CUSTOMERS, {m.RegisterCustomer: handler}, runs="threads", concurrency=parts.config.ecc.sessions
    )


def _ecc_registrations(parts: Parts) -> Service:
    from adapters.ecc.registrations import NAME, poll_registrations  # noqa: PLC0415

    ecc = parts.config.ecc
    lease = parts.lease(NAME, ecc.poll_seconds)
    poll = poll_registrations(parts.open_sessions(), ecc, parts.database, lease, reread=parts.embedded)
    return Service(rows.ECC_REGISTRATIONS, {}, poll=poll)


def _ecc_releases(parts: Parts) -> Service:
    from adapters.ecc.releases import release_orders  # noqa: PLC0415

    leased_before = parts.started_at if parts.embedded else None
    handler = release_orders(parts.open_sessions(), parts.config.ecc, leased_before)
    return Service(rows.ECC_RELEASES, {m.ReleaseOrders: handler}, runs="threads", concurrency=parts.config.ecc.sessions)


def _ecc_clear_flags(parts: Parts) -> Service:
    from adapters.ecc.clear_flags import clear_synced, clear_withdrawn  # noqa: PLC0415

    sessions = parts.open_sessions()
    handlers: dict[type[m.Body], Handler[Any]] = {
        m.OrderSynced: clear_synced(sessions, parts.config.ecc),
        m.OrderWithdrawn: clear_withdrawn(sessions, parts.config.ecc),
    }
    return Service(rows.ECC_CLEAR_FLAGS, handlers, runs="threads", concurrency=parts.config.ecc.sessions)


def _contacts(parts: Parts) -> Service:
    from adapters.contacts.service import store_contacts  # noqa: PLC0415

    return Service(rows.CONTACTS, {m.CustomerRegistered: store_contacts(parts.database)}, concurrency=4)


def _reconcile(parts: Parts) -> Service:
    from orderbus.reconciliation.service import poll_differences, terms_of  # noqa: PLC0415

    config = parts.config
    terms = terms_of(config.reconcile, config.ecc, config.router)
    poll = poll_differences(
        parts.shop, parts.open_sessions(), config.ecc, terms, config.reconcile, parts.database, parts.holder
    )
    return Service(rows.RECONCILE, {}, poll=poll)


RECIPES: dict[str, Callable[[Parts], Service]] = {
    rows.ROUTER.name: _router,
    rows.MAGENTO_ORDERS.name: _magento_orders,
    rows.MAGENTO_CUSTOMERS.name: _magento_customers,
    rows.MAGENTO_ORDER_NUMBERS.name: _magento_order_numbers,
    rows.ECC_ORDERS.name: _ecc_orders,
    rows.ECC_HOLDS.name: _ecc_holds,
    rows.ECC_CUSTOMERS.name: _ecc_customers,
    rows.ECC_REGISTRATIONS.name: _ecc_registrations,
    rows.ECC_RELEASES.name: _ecc_releases,
    rows.ECC_CLEAR_FLAGS.name: _ecc_clear_flags,
    rows.CONTACTS.name: _contacts,
    rows.RECONCILE.name: _reconcile,
}
"""How each row of the table becomes a service."""


@asynccontextmanager
async def build(names: Sequence[str], config: Config) -> AsyncIterator[list[Service]]:
    """Yield the named services, and close what they opened afterwards.

    Raises
    ------
    Permanent
        A name is unknown; or the embedded broker is configured and some services are missing, whose messages nobody
        else could take.
    Failure
        What a service needs is missing, e.g. a migration.
    """
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        raise Permanent(f"There is no service {unknown[0]!r}.", f"Choose from {', '.join(RECIPES)}.")
    missing = [name for name in RECIPES if name not in names]
    if config.broker.embedded and missing:
        raise Permanent(
            f"The embedded broker needs every service in one process, and {missing[0]!r} is missing.",
            "Run `orderbus run --all`, or name a RabbitMQ in broker.url.",
        )
    async with AsyncExitStack() as closing:
        parts = Parts(config, closing)
        yield [RECIPES[name](parts) for name in dict.fromkeys(names)]
