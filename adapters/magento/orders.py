"""Orders as Magento shows them, made canonical; and the orders that ECC has released, read and placed again."""

from collections.abc import Mapping, Sequence

from adapters.magento.config import MagentoConfig
from adapters.magento.gates import FINISHED_STATES, Skip
from adapters.magento.mapping import UnreadableError, account_id_of, order_of, sku_was_changed
from adapters.magento.rest_types import CustomerJson, OrderJson, text
from adapters.magento.shop import Shop, Unintelligible
from schemas.envelope import Handler, Message
from schemas.failures import Permanent
from schemas.identifiers import normalised_email
from schemas.messages import Body, FetchOrder, OrderPlaced, OrderWithdrawn
from schemas.order import Order


def place_fetched_orders(shop: Shop) -> Handler[FetchOrder]:
    """Return the handler that reads a released order again and places it with its numbers.

    It passes the gates and disregards ``ext_order_id``: ECC has decided that the order is due. One that was cancelled
    or deleted while it waited is withdrawn.
    """

    async def place(message: Message[FetchOrder]) -> Sequence[Body]:
        wanted = message.body.ref
        seen = await shop.order(wanted.order_id)
        if seen is None:
            return [OrderWithdrawn(ref=wanted, reason="deleted")]
        if text(seen.order.increment_id) != wanted.increment_id:
            raise Permanent(
                f"Magento's order {wanted.order_id} has another number than the order that was held.",
                "The shop's database was replaced; close the pending row in ECC by hand.",
            )
        if text(seen.order.state) in FINISHED_STATES:
            return [OrderWithdrawn(ref=wanted, reason="cancelled")]
        (found,) = await canonical_orders(shop, [seen.order])
        if isinstance(found, Skip):
            raise Permanent(
                f"Magento's order {wanted.order_id} cannot be placed: {found.detail}.",
                "Correct the order or magento.stores, then send the message again.",
            )
        return [OrderPlaced(order=found, release=message.body.registration)]

    return place


async def canonical_orders(shop: Shop, orders: Sequence[OrderJson]) -> list[Order | Skip]:
    """Return each order in canonical form, or why it has none.

    Their accounts, and products where configured, are read in one call each, however many the orders are.
    """
    config = shop.config
    accounts = await shop.customers(filter(None, map(account_id_of, orders)))
    by_email: Mapping[tuple[str, str], CustomerJson] = {}
    if config.guest_matches_account_by_email:
        by_email = await shop.customers_with(text(one.customer_email) for one in orders if not account_id_of(one))
    skus = await shop.product_skus(_changed_products(config, orders))

    async def canonical(order: OrderJson) -> Order | Skip:
        store_id = text(order.store_id)
        store = await shop.store_view(store_id)
        if store is None:
            return Skip("store", f"store id {store_id[:20] or 'none'} is no store view of the shop")
        account_id = account_id_of(order)
        if account_id:
            account = accounts.get(account_id)
        else:
            account = by_email.get((store.website, normalised_email(text(order.customer_email))))
        if isinstance(account, Unintelligible):
            return Skip("unreadable", f"its customer account {account.id}: {account.reason}")
        try:
            return order_of(order, store, account, sap_customer_number=config.sap_customer_number, product_skus=skus)
        except UnreadableError as error:
            return Skip("unreadable", str(error))

    return [await canonical(order) for order in orders]


def _changed_products(config: MagentoConfig, orders: Sequence[OrderJson]) -> set[str]:
    if not config.product_skus:
        return set()
    items = (item for order in orders for item in order.items or [])
    return {text(item.product_id) for item in items if sku_was_changed(item)}
