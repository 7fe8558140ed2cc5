"""Faults, clocks, restarts and loading: what a shop is put through."""

import asyncio
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.magento.simulator.config import SimulatorConfig
from adapters.magento.simulator.faults import Faults
from adapters.magento.simulator.server import Simulator, serve

from .replay import Client, recording, searched_orders

PATH = "/rest/V1/orders/1?fields=entity_id"
WRITE = {"entity": {"entity_id": 1, "ext_order_id": "0000099999"}}


async def fault(client: Client, **faults: Any) -> dict[str, Any]:
    async with client.http.post(client.simulator.url + "/_simulator/faults", json=faults) as response:
        assert response.status == 200, await response.text()
        return await response.json()


@pytest.mark.parametrize(
    ("faults", "name"),
    [
        ({"maintenance": True}, "errors/503_maintenance"),
        ({"db_down": True}, "errors/500_db_down"),
        ({"bad_gateway_rate": 1}, "errors/502_php_fpm_down"),
    ],
)
async def test_failures_in_front_of_magento(recorded: Client, faults: dict[str, Any], name: str) -> None:
    await fault(recorded, **faults)
    answer = await recorded.send("GET", PATH)
    response = recording(name)["response"]
    assert (answer.status, answer.content_type) == (response["status"], response["content_type"])
    assert answer.text.splitlines()[0] == response["text"].splitlines()[0]


@pytest.mark.parametrize("kind", ["error", "deadlock"])
async def test_a_rolled_back_write_can_be_repeated(recorded: Client, kind: str) -> None:
    await fault(recorded, planned=[{"kind": kind, "method": "POST", "path": "/V1/orders"}])
    await recorded.admin()
    failed = await recorded.send("POST", "/rest/V1/orders", WRITE, "admin")
    assert (failed.status, failed.body["message"][:15]) == (500, "Internal Error.")
    assert (await recorded.order(1))["ext_order_id"] == "0000012345"
    await recorded.do("POST", "/rest/V1/orders", WRITE)
    assert (await recorded.order(1))["ext_order_id"] == "0000099999"


@pytest.mark.parametrize(("kind", "effect"), [("cut", "0000099999"), ("cut_before", "0000012345")])
async def test_a_cut_connection_with_and_without_effect(recorded: Client, kind: str, effect: str) -> None:
    await recorded.admin()
    await fault(recorded, planned=[{"kind": kind, "method": "POST"}])
    with pytest.raises(aiohttp.ClientConnectionError):
        await recorded.send("POST", "/rest/V1/orders", WRITE, "admin")
    assert (await recorded.order(1))["ext_order_id"] == effect


@pytest.mark.parametrize("retry_after", [None, 7])
async def test_too_many_requests(recorded: Client, retry_after: int | None) -> None:
    await recorded.admin()
    await fault(recorded, requests_per_second=5, retry_after=retry_after)
    statuses = [(await recorded.send("GET", PATH, auth="admin")).status for _ in range(12)]
    assert statuses[0] == 200
    assert 429 in statuses
    await fault(recorded, requests_per_second=0, too_many_rate=1)
    async with recorded.http.get(recorded.simulator.url + PATH) as response:
        assert response.status == 429
        assert response.headers.get("Retry-After") == (None if retry_after is None else "7")


async def test_tokens_expire(recorded: Client) -> None:
    assert (await recorded.send("GET", PATH, auth="admin")).status == 200
    await fault(recorded, token_lifetime=0)
    assert (await recorded.send("GET", PATH, auth="admin")).status == 401
    await fault(recorded, token_lifetime=3600, clock_offset=3601)
    assert (await recorded.send("GET", PATH, auth="admin")).status == 401
    assert (await recorded.send("GET", PATH, auth="oauth")).status == 200, "its own timestamp is merely old"


async def test_clocks_apart(recorded: Client) -> None:
    await fault(recorded, clock_offset=-700)
    answer = await recorded.send("GET", PATH, auth="oauth")
    assert answer.body == {"message": "An error occurred validating the nonce"}
    await fault(recorded, clock_offset=86400)
    await recorded.do("POST", "/rest/V1/orders", WRITE)
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
    assert (await recorded.order(1))["updated_at"][:10] == tomorrow


@pytest.mark.parametrize("path", [PATH, "/rest/V1/nothing"])
async def test_a_wrong_clock_shows_in_the_date_of_each_answer(recorded: Client, path: str) -> None:
    await fault(recorded, clock_offset=-3600)
    async with recorded.http.get(recorded.simulator.url + path) as response:
        date = parsedate_to_datetime(response.headers["Date"])
    assert 3595 < (datetime.now(UTC) - date).total_seconds() < 3660


async def test_workers_bound_what_is_served_at_once(recorded: Client) -> None:
    await recorded.admin()
    for workers, least in ((1, 0.5), (5, 0.1)):
        await fault(recorded, latency=0.1, workers=workers)
        started = time.monotonic()
        await asyncio.gather(*(recorded.send("GET", PATH, auth="admin") for _ in range(5)))
        assert time.monotonic() - started >= least
    await fault(recorded, latency=0.1, workers=0)
    started = time.monotonic()
    await asyncio.gather(*(recorded.send("GET", PATH, auth="admin") for _ in range(20)))
    assert time.monotonic() - started < 1.5, "twenty at once, not one after the other"


async def test_slow_pages_are_searches_alone(recorded: Client) -> None:
    await recorded.admin()
    await fault(recorded, slow_page_rate=1, slow_page_seconds=0.3)
    started = time.monotonic()
    await recorded.order(1)
    alone = time.monotonic() - started
    started = time.monotonic()
    await recorded.get("/rest/V1/orders?searchCriteria[pageSize]=1")
    assert time.monotonic() - started >= 0.3 > alone


async def test_the_same_seed_brings_the_same_faults(recorded: Client) -> None:
    await recorded.admin()

    async def statuses(seed: int) -> list[int]:
        await fault(recorded, seed=seed, error_rate=0.3, unauthorized_rate=0.2)
        return [(await recorded.send("GET", PATH, auth="admin")).status for _ in range(40)]

    first = await statuses(1)
    assert first == await statuses(1)
    assert first != await statuses(2)
    assert set(first) == {200, 401, 500}


@pytest.mark.parametrize(
    "wrong", ['{"latency": -1}', '{"latencie": 1}', '{"workers": "many"}', "[]", "{", '{"error_rate": 1.5}']
)
async def test_wrong_faults_are_refused(recorded: Client, wrong: str) -> None:
    async with recorded.http.post(recorded.simulator.url + "/_simulator/faults", data=wrong) as response:
        assert response.status == 400
        assert (await response.json())["message"]
    assert recorded.simulator.injector.faults == Faults()


async def test_the_state_survives_a_restart(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    config = SimulatorConfig(database=str(tmp_path / "shop.sqlite"), registered_customers=2)
    first = await serve(config)
    first.take_order(searched_orders()[0])
    client = Client(http, first)
    token = await client.admin()
    await client.do("POST", "/rest/V1/orders", WRITE)
    cart = await client.do("POST", "/rest/V1/guest-carts")
    before = await client.order(1)
    await first.stop()
    async with Simulator(config) as second:
        client = Client(http, second)
        again = await client.send("GET", "/rest/V1/orders/1", auth=f"Bearer {token}")
        assert again.body == before, "and the token is still good"
        assert await client.do("GET", f"/rest/V1/guest-carts/{cart}/items") == []
        assert (await client.get("/rest/V1/customers/search?searchCriteria="))["total_count"] == 2


async def test_a_taken_port_is_an_error(shop: Client) -> None:
    port = int(shop.simulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        await serve(SimulatorConfig(port=port))


async def test_loaded_orders_are_like_placed_ones(start: Any) -> None:
    client = await start(registered_customers=3)
    url = client.simulator.url
    async with client.http.post(f"{url}/_simulator/orders", json={"count": 700, "seed": 4, "days": 30}) as response:
        assert await response.json() == {"first": 1, "last": 700, "count": 700}
    found = await client.get("/rest/V1/orders?searchCriteria[pageSize]=1000")
    assert found["total_count"] == len(found["items"]) == 700
    for order in found["items"][::70]:
        gross = sum(round(item["row_total_incl_tax"] * 100) for item in order["items"])
        assert gross + round(order["shipping_incl_tax"] * 100) == round(order["grand_total"] * 100)
    assert {order.get("customer_id") for order in found["items"]} == {None, 1, 2, 3}
    moments = [order["updated_at"] for order in found["items"]]
    assert moments == sorted(moments)
    await client.do("POST", "/rest/V1/orders", {"entity": {"entity_id": 700, "ext_order_id": "1"}})
    async with client.http.get(f"{url}/_simulator/orders?after=698") as response:
        listed = await response.json()
    assert [order["ext_order_id"] for order in listed["orders"]] == [None, "1"]
    assert listed["total"] == 700
    async with client.http.get(f"{url}/_simulator/customers") as response:
        listed = await response.json()
    assert listed["customers"][2]["attributes"] == {"sap_customer_number": "0000010003"}


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 1, "store_id": 9}, {"number": 3}, {}])
async def test_wrong_batches_are_refused(shop: Client, wrong: dict[str, Any]) -> None:
    async with shop.http.post(f"{shop.simulator.url}/_simulator/orders", json=wrong) as response:
        assert response.status == 400


@pytest.mark.parametrize(
    ("field", "index"),
    [("updated_at", "order_updated"), ("created_at", "order_created"), ("customer_email", "order_email"),
     ("ext_order_id", "order_external"), ("customer_id", "order_customer")],
)  # fmt: skip
async def test_searches_use_an_index(shop: Client, field: str, index: str) -> None:
    """What the look-ups of an integration search for does not read the whole table."""
    traced: list[str] = []
    connection = shop.simulator.shop.state.connection
    connection.set_trace_callback(traced.append)
    first = "searchCriteria[filterGroups][0][filters][0]"
    await shop.get(f"/rest/V1/orders?{first}[field]={field}&{first}[value]=1&searchCriteria[pageSize]=5")
    connection.set_trace_callback(None)
    statement = next(each for each in traced if each.startswith("SELECT *") and field in each)
    plan = " ".join(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert index in plan, plan


@pytest.mark.parametrize(
    "path",
    ["/rest/V1/orders/99999999999999999999", "/rest/V1/customers/abc", "/rest/V1/orders/nan", "/rest/V1/orders/%00",
     "/rest/V1/invoices/x", "/rest/V1/orders?searchCriteria[filterGroups][0][filters][0][value]=1"],
)  # fmt: skip
async def test_hostile_paths_get_an_answer(recorded: Client, path: str) -> None:
    answer = await recorded.send("GET", path, auth="admin")
    assert answer.status in (400, 404, 500)
    assert "message" in answer.body


async def test_planned_faults_are_met_once(recorded: Client) -> None:
    await recorded.admin()
    await fault(recorded, planned=[{"kind": "bad_gateway", "times": 2}])
    statuses = [(await recorded.send("GET", PATH, auth="admin")).status for _ in range(2)]
    assert await fault(recorded, latency=0.01) == await fault(recorded), "what was met is not planned again"
    statuses += [(await recorded.send("GET", PATH, auth="admin")).status for _ in range(2)]
    assert statuses == [502, 502, 200, 200]


HOSTILE: list[Any] = [
    None, [], {}, "text", {"entity": []}, {"entity": {"entity_id": {"a": 1}}}, {"entity": {"entity_id": 10**30}},
    {"entity": {"entity_id": 1, "items": "x"}}, {"entity": {"entity_id": 1, "items": [7]}},
    {"customer": {"email": 7}}, {"customer": {"addresses": "x"}},
    {"customer": {"addresses": [{"region": 4, "id": "x"}]}},
    {"cartItem": {"sku": [], "qty": "NaN"}}, {"items": [{"order_item_id": "x"}]}, {"items": 5}, {"items": [[]]},
    {"statusHistory": {"comment": {"a": "b"}}}, {"username": [], "password": {}},
    {"arguments": {"shipping_amount": "x"}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "orders"), ("PUT", "orders/1"), ("POST", "orders/1/comments"), ("POST", "order/2/invoice"),
        ("POST", "order/2/ship"), ("POST", "order/2/refund"), ("POST", "customers"), ("PUT", "customers/1"),
        ("POST", "integration/customer/token"), ("POST", "integration/admin/token"), ("POST", "invoices/comments"),
        ("POST", "shipment/track"),
    ],
)  # fmt: skip
async def test_hostile_bodies_get_an_answer(recorded: Client, method: str, path: str) -> None:
    for given in HOSTILE:
        answer = await recorded.send(method, f"/rest/V1/{path}", given, "admin")
        assert answer.status in (200, 400, 401, 404, 500), answer.text
        assert answer.content_type == "application/json; charset=utf-8"
    assert (await recorded.order(3))["grand_total"] == 172.1
