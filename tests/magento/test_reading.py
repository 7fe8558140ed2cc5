"""Pages of a shop that does not keep to the rules."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.magento.client import Client
from adapters.magento.config import Bearer, MagentoConfig
from adapters.magento.reading import BEGINNING, Mark, page_behind
from adapters.magento.search import Filter
from adapters.magento.shop import Shop
from schemas.failures import Permanent, Transient
from tests.magento.stage import Stage, says
from tests.magento.world import AUTH, World


def key(entity_id: Any, updated_at: Any = "2026-11-23 03:00:00") -> dict[str, Any]:
    return {"entity_id": entity_id, "updated_at": updated_at}


def test_marks_go_back_in_time() -> None:
    assert Mark("2026-03-01 00:00:01", 7).back(2) == Mark("2026-02-28 23:59:59", 0)
    assert Mark("2026-03-01 00:00:01", 9) < Mark("2026-03-01 00:00:01", 10) < Mark("2026-03-01 00:00:02", 1)


@pytest.mark.parametrize(
    "rows",
    [
        [key(2), key(1)],
        [key(1, "2026-11-23 03:00:01"), key(2)],
        [key(1), key(1)],
        [key(number) for number in range(1, 5)],
        [{"entity_id": 1}],
        [key(0)],
        [key(1, "soon")],
        ["order"],
    ],
    ids=["ids fall", "times fall", "twice", "too many", "no time", "no id", "no date", "no object"],
)
async def test_an_answer_in_another_order_is_not_taken(
    stage: Stage, client: Callable[..., Client], rows: list[Any]
) -> None:
    stage.then(says(200, {"items": rows, "total_count": len(rows)}))
    http = client()
    with pytest.raises(Transient):
        await page_behind(Shop(http._config, http), BEGINNING, 3)


@pytest.mark.parametrize("body", [{"items": {}}, {"items": 5}, {"total_count": "x"}, [], "text"])
async def test_an_answer_that_is_no_page(stage: Stage, client: Callable[..., Client], body: Any) -> None:
    stage.then(says(200, body))
    http = client()
    with pytest.raises(Permanent):
        await page_behind(Shop(http._config, http), BEGINNING, 3)


@pytest.mark.parametrize("body", [{"items": None}, {"items": []}, {}])
async def test_an_empty_page(stage: Stage, client: Callable[..., Client], body: Any) -> None:
    stage.then(says(200, body))
    http = client()
    page = await page_behind(Shop(http._config, http), BEGINNING, 3)
    assert (page.rows, page.more) == ([], False)


async def test_a_refused_search_is_permanent_and_says_why(stage: Stage, client: Callable[..., Client]) -> None:
    stage.then(says(400, {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": 2}}))
    http = client()
    with pytest.raises(Permanent, match="pageSize is 2"):
        await page_behind(Shop(http._config, http), BEGINNING, 3)


async def test_eleven_filter_groups_pass_the_signature_check(world: World, make_shop: Callable[..., Shop]) -> None:
    """A library that sorts parameters by byte gets a 401 from here on (recordings ``search/40c_*``)."""
    world.add_order(1)
    only = [Filter("entity_id", "gteq", str(number)) for number in range(-10, 1)]
    page = await page_behind(make_shop(), BEGINNING, 3, only)
    assert [row.key.entity_id for row in page.rows] == [1]


async def test_a_bearer_token_will_do(world: World) -> None:
    world.add_order(1)
    config = MagentoConfig(url=world.simulator.url, auth=Bearer(token=AUTH.access_token))
    shop = Shop(config)
    assert len((await page_behind(shop, BEGINNING, 3)).rows) == 1
    await shop.close()
