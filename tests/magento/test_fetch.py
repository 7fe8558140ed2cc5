"""Released orders: read again and placed with their numbers, or withdrawn."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.magento.client import Client
from adapters.magento.orders import place_fetched_orders
from adapters.magento.shop import Shop
from adapters.magento.simulator.faults import Planned
from schemas.envelope import Envelope, Message
from schemas.failures import Outage, Permanent, Transient
from schemas.messages import Body, FetchOrder, OrderPlaced, OrderWithdrawn, Registration
from schemas.order import OrderRef
from tests.magento.recordings import body
from tests.magento.stage import Stage, says
from tests.magento.world import World

MakeShop = Callable[..., Shop]
NUMBERS = Registration("0000100007", "0000000042")


def fetch(order_id: str, increment_id: str = "") -> Message[FetchOrder]:
    ref = OrderRef("default", order_id, increment_id or f"{int(order_id):09}")
    envelope = Envelope("m1", "/test", "orderbus.magento.order.fetch.v1", datetime.now(UTC))
    return Message(envelope, FetchOrder(ref, NUMBERS))


async def run(shop: Shop, message: Message[FetchOrder]) -> Sequence[Body]:
    result = place_fetched_orders(shop)(message)
    return result if isinstance(result, Sequence) else await result


async def test_places_the_order_with_the_released_numbers(world: World, make_shop: MakeShop) -> None:
    world.add_order(1)
    (placed,) = await run(make_shop(), fetch("1"))
    assert isinstance(placed, OrderPlaced)
    assert placed.release == NUMBERS
    assert placed.order.ref == OrderRef("default", "1", "000000001")


async def test_passes_the_gates_and_disregards_a_number(world: World, make_shop: MakeShop) -> None:
    world.add_order(1, state="holded", status="holded", ext_order_id="0000000009")
    (placed,) = await run(make_shop(payment_gate="never"), fetch("1"))
    assert isinstance(placed, OrderPlaced)


@pytest.mark.parametrize("state", ["canceled", "closed"])
async def test_a_cancelled_order_is_withdrawn(world: World, make_shop: MakeShop, state: str) -> None:
    world.add_order(1, state=state, status=state)
    message = fetch("1")
    assert await run(make_shop(), message) == [OrderWithdrawn(message.body.ref, "cancelled")]


async def test_a_deleted_order_is_withdrawn(make_shop: MakeShop) -> None:
    message = fetch("7")
    assert await run(make_shop(), message) == [OrderWithdrawn(message.body.ref, "deleted")]


async def test_a_404_for_another_reason_withdraws_nothing(stage: Stage, client: Callable[..., Client]) -> None:
    stage.then(says(404, {"message": "Request does not match any route."}))
    http = client()
    with pytest.raises(Permanent, match="any route"):
        await run(Shop(http._config, http), fetch("1"))


async def test_a_404_that_the_search_does_not_confirm_counts_for_nothing(
    stage: Stage, client: Callable[..., Client]
) -> None:
    order = body("orders/get_guest")
    views = body("auth/oauth1_sha256")
    stage.then(says(404, {"message": "x"}), says(200, {"items": [order]}), says(200, views))
    http = client()
    (placed,) = await run(Shop(http._config, http), fetch(str(order["entity_id"]), order["increment_id"]))
    assert isinstance(placed, OrderPlaced)


async def test_another_order_under_the_same_id_is_not_placed(world: World, make_shop: MakeShop) -> None:
    world.add_order(1)
    with pytest.raises(Permanent, match="another number"):
        await run(make_shop(), fetch("1", "000000099"))


@pytest.mark.parametrize("order_id", ["1/../../customers/1", "", "x", "-1", "9" * 40, "1 or 1"])
async def test_ids_are_checked_before_they_reach_a_url(world: World, make_shop: MakeShop, order_id: str) -> None:
    with pytest.raises(Permanent, match="no Magento id"):
        await run(make_shop(), fetch(order_id, "000000001"))
    assert world.requests == []


async def test_an_order_that_cannot_be_read_is_permanent(world: World, make_shop: MakeShop) -> None:
    world.add_order(1, order_currency_code="X")
    with pytest.raises(Permanent, match="currency"):
        await run(make_shop(), fetch("1"))


async def test_asks_for_the_products_own_sku_where_configured(stage: Stage, client: Callable[..., Client]) -> None:
    order: dict[str, Any] = body("orders/get_custom_option")
    product = {"id": order["items"][0]["product_id"], "sku": "OPT-01"}
    stage.then(says(200, order), says(200, {"items": [product]}), says(200, body("auth/oauth1_sha256")))
    http = client(product_skus=True)
    (placed,) = await run(Shop(http._config, http), fetch(str(order["entity_id"]), order["increment_id"]))
    assert isinstance(placed, OrderPlaced)
    assert placed.order.items[0].product_sku == "OPT-01"


@pytest.mark.parametrize(
    ("kind", "failure"),
    [("maintenance", Outage), ("unauthorized", Outage), ("too_many", Transient), ("cut", Transient)],
)
async def test_troubles_of_the_shop(world: World, make_shop: MakeShop, kind: Any, failure: type[Exception]) -> None:
    world.add_order(1)
    shop = make_shop()
    world.fail_next(Planned(kind, times=2))  # twice, for aiohttp repeats a GET whose connection was cut
    with pytest.raises(failure):
        await run(shop, fetch("1"))
    world.fail_next()
    (placed,) = await run(shop, fetch("1"))
    assert isinstance(placed, OrderPlaced)
