"""``orderbus check``: connects to everything that a configuration names, before anything runs."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from msgspec import Struct

from adapters.ecc.check import check as probe_ecc
from adapters.ecc.connect import open_sessions
from adapters.magento.check import check_shop
from adapters.magento.publisher import WATERMARK
from adapters.magento.shop import Shop
from bus import topology
from bus.config import BrokerConfig, address
from bus.service import Row
from orderbus.config import Config
from router.policy import RoutingPolicy
from schemas.failures import Failure
from state import watermark
from state.database import open_database, require_current

MOST_NAMED = 4
"""Missing exchanges and queues that get a line each; where there are more, the topology was never applied."""


class Finding(Struct, frozen=True):
    """One line of the check."""

    part: str
    """``broker``, ``database``, ``magento`` or ``ecc``."""
    what: str
    fine: bool
    remedy: str = ""
    """What to do; empty where it is fine."""


async def check(config: Config, table: tuple[Row, ...]) -> AsyncIterator[Finding]:
    """Look at broker, database, Magento and ECC, and yield what was found as it is found; changes nothing."""
    yield _router(config.router)
    for finding in await asyncio.to_thread(lambda: list(_broker(config.broker, table))):
        yield finding
    for finding in await asyncio.to_thread(lambda: list(_database(config))):
        yield finding
    first_run = await asyncio.to_thread(_is_first_run, config)
    async for finding in _magento(config, first_run=first_run):
        yield finding
    for finding in await asyncio.to_thread(lambda: list(_ecc(config))):
        yield finding


def _router(policy: RoutingPolicy) -> Finding:
    if policy.default_customer or policy.default_customers:
        return Finding("router", "knows the default SAP customer number that waiting accounts carry", fine=True)
    return Finding(
        "router",
        "no default SAP customer number is configured: an account that carries one would count as registered",
        fine=False,
        remedy="Set router.default_customer, or router.default_customers by store.",
    )


def _broker(config: BrokerConfig, table: tuple[Row, ...]) -> Iterator[Finding]:
    if config.embedded:
        yield Finding("broker", "inside the process; its messages die with it", fine=True)
        return
    try:
        missing = topology.check(config, table)
    except Failure as failure:
        yield _failed("broker", failure)
        return
    yield Finding("broker", f"{', '.join(map(address, config.urls))} answers and takes the user", fine=True)
    if not missing:
        yield Finding("broker", "every exchange and queue is there", fine=True)
    elif len(missing) <= MOST_NAMED:
        for name in missing:
            yield Finding("broker", f"{name} is missing", fine=False, remedy=topology.APPLY)
    else:
        some = ", ".join(missing[:MOST_NAMED])
        what = f"{some} and {len(missing) - MOST_NAMED} more exchanges and queues are missing"
        yield Finding("broker", what, fine=False, remedy=topology.APPLY)


def _database(config: Config) -> Iterator[Finding]:
    try:
        database = open_database(config.database.url)
        yield Finding("database", f"{database.shown} answers", fine=True)
        require_current(database)
    except Failure as failure:
        yield _failed("database", failure)
        return
    yield Finding("database", "has every migration", fine=True)
    database.close()


def _is_first_run(config: Config) -> bool:
    """Tell whether the publisher has read nothing yet, as far as the database can tell."""
    try:
        database = open_database(config.database.url)
        require_current(database)
        return watermark.read(database, WATERMARK) is None
    except Failure:
        return True


async def _magento(config: Config, *, first_run: bool) -> AsyncIterator[Finding]:
    shop = Shop(config.magento)
    try:
        async for finding in check_shop(shop, first_run=first_run):
            yield Finding("magento", finding.line, finding.ok, finding.remedy)
    except Failure as failure:
        yield _failed("magento", failure)
    finally:
        await shop.close()


def _ecc(config: Config) -> Iterator[Finding]:
    try:
        sessions = open_sessions(config.ecc)
    except Failure as failure:
        yield _failed("ecc", failure)
        return
    try:
        for finding in probe_ecc(sessions, config.ecc):
            if finding.failure is None:
                yield Finding("ecc", finding.what, fine=True)
            else:
                yield Finding(
                    "ecc", f"{finding.what}: {finding.failure.cause}", fine=False, remedy=finding.failure.remedy
                )
    finally:
        sessions.close()


def _failed(part: str, failure: Failure) -> Finding:
    return Finding(part, failure.cause, fine=False, remedy=failure.remedy)
