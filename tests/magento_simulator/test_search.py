"""Order and customer searches against the recorded ones, and against each other."""

import re

import pytest

from .replay import RECORDINGS, Client, differences, recording, same, searched_orders

NOT_SIMULATED = {"03d_past_end_products"}
UNORDERED = {"13b_nin"}
"""Asked for without a sort order, and answered in that of an index."""
SEARCHES = sorted(path.stem for path in (RECORDINGS / "search").glob("*.json") if path.stem not in NOT_SIMULATED)
INTERNAL = re.compile(r"Report ID: webapi-[0-9a-f]{13}$")


@pytest.mark.parametrize("name", SEARCHES)
async def test_answers_as_recorded(recorded: Client, name: str) -> None:
    answer = await recorded.replay(f"search/{name}")
    response = recording(f"search/{name}")["response"]
    if response["status"] == 500:
        assert answer.status == 500
        assert INTERNAL.search(answer.body["message"])
        assert INTERNAL.sub("", answer.body["message"]) == INTERNAL.sub("", response["body"]["message"])
        return
    if name in UNORDERED:
        for part in (answer.body["items"], response["body"]["items"]):
            assert [item["status"] for item in sorted(part, key=lambda each: each["status"])] == [
                "complete",
                "sap_created",
            ]
        return
    same(answer, f"search/{name}")


def criteria(*filters: tuple[str, str, str], group: str = "separate") -> str:
    parts = []
    for index, (field, value, condition) in enumerate(filters):
        place = (
            f"[filter_groups][{index}][filters][0]" if group == "separate" else f"[filter_groups][0][filters][{index}]"
        )
        parts += [
            f"searchCriteria{place}[field]={field}",
            f"searchCriteria{place}[value]={value}",
            f"searchCriteria{place}[condition_type]={condition}",
        ]
    return "&".join(parts)


async def ids(client: Client, query: str) -> list[int]:
    found = await client.get(f"/rest/V1/orders?{query}&fields=items[entity_id]")
    return [item["entity_id"] for item in found["items"] or []]


@pytest.mark.parametrize(
    ("condition", "value", "keeps"),
    [
        ("gt", "50", lambda total: total > 50),
        ("gteq", "50", lambda total: total >= 50),
        ("lt", "50", lambda total: total < 50),
        ("lteq", "50", lambda total: total <= 50),
        ("moreq", "50", lambda total: total >= 50),
        ("neq", "50", lambda total: total != 50),
        ("in", "50,16.9", lambda total: total in (50, 16.9)),
        ("nin", "50,16.9", lambda total: total not in (50, 16.9)),
        ("nonsense", "50", lambda total: total == 50),
    ],
)
async def test_conditions_agree_with_the_orders(recorded: Client, condition: str, value: str, keeps: object) -> None:
    expected = [order["entity_id"] for order in searched_orders() if keeps(order["grand_total"])]
    assert await ids(recorded, criteria(("grand_total", value, condition))) == expected


async def test_groups_are_anded_and_their_filters_ored(recorded: Client) -> None:
    either = criteria(("entity_id", "3", "eq"), ("entity_id", "9", "eq"), group="one")
    assert await ids(recorded, either) == [3, 9]
    both = criteria(("entity_id", "3", "gteq"), ("customer_lastname", "mustermann", "eq"), ("store_id", "1", "eq"))
    assert await ids(recorded, both) == [3, 4, 5, 7, 9]


async def test_pages_follow_on_and_end_empty(recorded: Client) -> None:
    order = "searchCriteria[sortOrders][0][field]=updated_at&searchCriteria[sortOrders][0][direction]=DESC"
    whole = await ids(recorded, order)
    pages = [
        await ids(recorded, f"{order}&searchCriteria[pageSize]=5&searchCriteria[currentPage]={n}") for n in range(1, 5)
    ]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert [each for page in pages for each in page] == whole
    moments = {each["entity_id"]: each["updated_at"] for each in searched_orders()}
    assert [moments[each] for each in whole] == sorted(moments.values(), reverse=True)


async def test_a_new_value_is_found_by_the_next_search(recorded: Client) -> None:
    assert await ids(recorded, criteria(("ext_order_id", "0000777777", "eq"))) == []
    await recorded.do("POST", "/rest/V1/orders", {"entity": {"entity_id": 9, "ext_order_id": "0000777777"}})
    assert await ids(recorded, criteria(("ext_order_id", "0000777777", "eq"))) == [9]


@pytest.mark.parametrize("order_id", range(1, 13))
async def test_each_order_alone_is_what_the_search_shows(recorded: Client, order_id: int) -> None:
    expected = next(order for order in searched_orders() if order["entity_id"] == order_id)
    assert differences(expected, await recorded.order(order_id)) == []


async def test_limits_apply_where_configured(start: object) -> None:
    from adapters.magento.simulator.config import InputLimits  # noqa: PLC0415 - used here alone

    client = await start(limits=InputLimits(max_page_size=10, default_page_size=4, max_array_items=3))
    for order in searched_orders():
        client.simulator.take_order(order)
    same(await client.replay("errors/400_max_page_size"), "errors/400_max_page_size")
    same(await client.replay("errors/400_complex_array_limit"), "errors/400_complex_array_limit")
    answer = await client.replay("errors/default_page_size_applied")
    assert answer.body == recording("errors/default_page_size_applied")["response"]["body"] | {"total_count": 12}
