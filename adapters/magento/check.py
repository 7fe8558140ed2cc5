"""What `orderbus check` looks at in the shop, before anything runs."""

from collections.abc import AsyncIterator, Awaitable, Callable

from msgspec import Struct

from adapters.magento.errors import BodyTooLargeError, MagentoError
from adapters.magento.gates import FINISHED_STATES
from adapters.magento.rest_types import Page
from adapters.magento.search import Filter, any_of, criteria
from adapters.magento.shop import Shop
from schemas.failures import Failure


class Finding(Struct, frozen=True):
    """One line of the check."""

    line: str
    ok: bool
    remedy: str = ""
    """What to do; empty where all is well."""


async def check_shop(shop: Shop, *, first_run: bool = False) -> AsyncIterator[Finding]:
    """Look at everything that the configuration names in the shop; changes nothing.

    The right to save orders cannot be seen without saving one.

    Parameters
    ----------
    first_run:
        No watermark exists yet: say how many orders the publisher would begin with.
    """
    config = shop.config

    async def views() -> str:
        found = await shop.load_store_views()
        return "store views " + ", ".join(sorted(view.code for view in found.values() if view.code != "admin"))

    async def may_read(path: str) -> str:
        await shop.client.get(path, criteria([], size=1, fields="total_count"))
        return f"{path} may be read"

    finding = await _tried(f"{config.url} answers with its store views", views)
    yield finding
    if not finding.ok:
        return
    for path in ("orders", "invoices", "customers/search", *(("products",) if config.product_skus else ())):
        yield await _tried(f"{path} can be read", lambda path=path: may_read(path))  # type: ignore[misc]
    for store_id in config.stores:
        known = store_id in await shop.load_store_views()
        yield Finding(
            f"store id {store_id} of magento.stores {'exists' if known else 'does not exist'}",
            known,
            "" if known else "Correct the store id.",
        )
    for code in filter(None, (config.sap_customer_number, config.sap_credit_limit, config.sap_contact_person)):
        yield await _attribute(shop, code)
    if first_run:
        yield await _tried("orders to begin with", lambda: _backlog(shop))


async def _attribute(shop: Shop, code: str) -> Finding:
    line = f"customer attribute {code} exists"
    try:
        if await shop.has_attribute(code):
            return Finding(line, ok=True)
    except (Failure, MagentoError, BodyTooLargeError) as error:
        return _failed(line, error)
    return Finding(
        f"customer attribute {code} is missing",
        ok=False,
        remedy=f"Create the customer attribute {code} in Magento, or name the right one in [magento].",
    )


async def _backlog(shop: Shop) -> str:
    config = shop.config
    waiting = [Filter("ext_order_id", "null"), any_of("state", FINISHED_STATES, exclude=True)]
    if config.orders_since:
        waiting.append(Filter("created_at", "gteq", config.orders_since))
    answer = await shop.client.get("orders", criteria(waiting, size=1, fields="total_count"))
    count = answer.decoded(Page).total_count
    since = f"since {config.orders_since}" if config.orders_since else "since ever (magento.orders_since is not set)"
    return f"the publisher begins with up to {count} orders without a number, {since}"


async def _tried(line: str, probe: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(f"{line}: {await probe()}", ok=True)
    except (Failure, MagentoError, BodyTooLargeError) as error:
        return _failed(line, error)


def _failed(line: str, error: Exception) -> Finding:
    if isinstance(error, Failure):
        return Finding(f"{line}: no. {error.cause}", ok=False, remedy=error.remedy)
    return Finding(f"{line}: no. {error}", ok=False, remedy="Correct what Magento names.")
