"""The client against a server that misbehaves: what is repeated, what each failure means, what is bounded."""

import asyncio
import gzip
import logging
import socket
import time
from collections.abc import Callable

import pytest
from aiohttp import web

from adapters.magento.client import Client
from adapters.magento.errors import BodyTooLargeError, MagentoError
from schemas.failures import Outage, Permanent, Transient
from tests.magento.recordings import recording
from tests.magento.stage import Stage, cut, half, says

MakeClient = Callable[..., Client]
RECORDED_PAGES = ["errors/503_maintenance", "errors/502_php_fpm_down", "errors/500_db_down"]


async def test_reads_json_with_the_shops_clock(stage: Stage, client: MakeClient) -> None:
    stage.then(says(200, {"a": 1}, Date="Mon, 23 Nov 2026 03:00:00 GMT"))
    answer = await client().get("orders", [("searchCriteria[pageSize]", "1"), ("b", "c d")])
    assert answer.decoded(dict) == {"a": 1}
    assert answer.date is not None
    assert answer.date.isoformat() == "2026-11-23T03:00:00+00:00"
    assert stage.seen == [("GET", "/rest/V1/orders", "searchCriteria%5BpageSize%5D=1&b=c%20d")]
    assert stage.headers[0]["Authorization"] == "Bearer a-token"


@pytest.mark.parametrize("name", RECORDED_PAGES)
async def test_a_shop_that_is_down_is_an_outage(stage: Stage, client: MakeClient, name: str) -> None:
    response = recording(name)["response"]
    stage.then(says(response["status"], text=response["text"]))
    with pytest.raises(Outage, match=str(response["status"])):
        await client().get("orders/1")


async def test_an_unreachable_shop_is_an_outage(client: MakeClient) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Outage, match="cannot be reached"):
            await client(url=url).get("orders/1")


async def test_a_wrong_token_is_an_outage_that_names_the_resource(stage: Stage, client: MakeClient) -> None:
    stage.then(says(401, recording("errors/401_limited_integration_order_save")["response"]["body"]))
    with pytest.raises(Outage, match="Magento_Sales::create") as refused:
        await client(retries=3).get("orders/1")
    assert "magento.auth" in refused.value.remedy
    assert len(stage.seen) == 1


async def test_a_redirect_is_an_outage_and_not_followed(stage: Stage, client: MakeClient) -> None:
    stage.then(says(301, text="", Location="https://elsewhere.example/"))
    with pytest.raises(Outage, match="301"):
        await client().get("orders/1")


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_a_refusal_carries_magentos_text(stage: Stage, client: MakeClient, status: int) -> None:
    stage.then(says(status, {"message": "No %1", "parameters": ["luck"]}))
    with pytest.raises(MagentoError) as refused:
        await client(retries=3).get("orders/1")
    assert (refused.value.status, refused.value.text) == (status, "No luck")
    assert len(stage.seen) == 1


async def test_a_404_that_is_no_json_is_no_missing_order(stage: Stage, client: MakeClient) -> None:
    stage.then(says(404, text="<h1>Not here</h1>"))
    with pytest.raises(Outage, match="404"):
        await client().get("orders/1")


@pytest.mark.parametrize(
    "trouble",
    [
        says(502, text="x"),
        says(503, text="x"),
        says(504, text="x"),
        says(500, {"message": "Internal Error"}),
        cut,
        half,
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_repeats_what_is_safe(stage: Stage, client: MakeClient, trouble: object, method: str) -> None:
    stage.then(trouble, trouble, says(200, {}))  # type: ignore[arg-type]
    await client(retries=2).send(method, "orders/1", repeatable=True)
    assert len(stage.seen) == 3


@pytest.mark.parametrize("trouble", [says(502, text="x"), says(500, {"message": "Internal Error"}), cut, half])
async def test_never_repeats_what_is_not(stage: Stage, client: MakeClient, trouble: object) -> None:
    stage.then(trouble, says(200, {}))  # type: ignore[arg-type]
    with pytest.raises(Transient):
        await client(retries=5).send("POST", "customers", body={"customer": {}})
    assert len(stage.seen) == 1


async def test_a_failure_that_stays_is_transient(stage: Stage, client: MakeClient) -> None:
    stage.then(says(500, {"message": "Internal Error. Details are available in Magento log file. Report ID: webapi-1"}))
    with pytest.raises(Transient, match="webapi-1") as failed:
        await client(retries=1).get("orders/1")
    assert not isinstance(failed.value, Outage)
    assert len(stage.seen) == 2


async def test_no_answer_in_time_is_transient(stage: Stage, client: MakeClient) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    stage.then(slow)
    with pytest.raises(Transient, match="No answer"):
        await client(request_timeout=0.2).get("orders/1")


async def test_waits_as_long_as_the_shop_asks(stage: Stage, client: MakeClient) -> None:
    stage.then(says(429, text="slow down", Retry_After="1"), says(200, {}))
    begun = time.monotonic()
    await client(retries=1).send("POST", "customers", body={})
    assert time.monotonic() - begun >= 0.99
    assert len(stage.seen) == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "120"}, 120),
        ({"Retry_After": "Mon, 23 Nov 2026 03:01:00 GMT", "Date": "Mon, 23 Nov 2026 03:00:00 GMT"}, 60),
        ({"Retry_After": "9" * 500}, 86_400),
    ],
)
async def test_long_waits_go_back_to_the_queue(
    stage: Stage, client: MakeClient, headers: dict[str, str], seconds: float
) -> None:
    stage.then(says(429, text="", **headers))
    with pytest.raises(Transient) as failed:
        await client(retries=5).get("orders/1")
    assert failed.value.retry_after == seconds
    assert not isinstance(failed.value, Outage)
    assert len(stage.seen) == 1


async def test_a_429_without_a_time_is_tried_again(stage: Stage, client: MakeClient) -> None:
    stage.then(says(429, text=""), says(429, text="", Retry_After="soon"), says(200, {}))
    await client(retries=2).get("orders/1")
    assert len(stage.seen) == 3


async def test_reads_no_more_than_allowed(stage: Stage, client: MakeClient) -> None:
    stage.then(says(200, text=b'["' + b"x" * 50_000 + b'"]'))
    with pytest.raises(BodyTooLargeError):
        await client(max_body_bytes=20_000).get("orders")


async def test_a_small_body_that_unpacks_to_a_huge_one_is_bounded(stage: Stage, client: MakeClient) -> None:
    stage.then(says(200, text=gzip.compress(b"x" * 30_000_000), Content_Encoding="gzip"))
    with pytest.raises(BodyTooLargeError):
        await client(max_body_bytes=1_000_000).get("orders")


async def test_a_huge_error_page_is_not_read_to_its_end(stage: Stage, client: MakeClient) -> None:
    stage.then(says(500, text=b"x" * 3_000_000))
    with pytest.raises(Outage):
        await client().get("orders")


@pytest.mark.parametrize("text", ["<html>", "", '{"items": [', "\ufeff{}", '{"a":' * 50_000])
async def test_an_answer_that_is_no_json_is_transient(stage: Stage, client: MakeClient, text: str) -> None:
    stage.then(says(200, text=text))
    with pytest.raises(Transient, match="not JSON"):
        (await client().get("orders")).decoded(dict)


async def test_json_of_another_shape_is_permanent(stage: Stage, client: MakeClient) -> None:
    stage.then(says(200, ["a"]))
    with pytest.raises(Permanent, match="unexpected shape"):
        (await client().get("orders")).decoded(dict)


async def test_paces_itself(stage: Stage, client: MakeClient) -> None:
    stage.then(says(200, {}))
    paced = client(requests_per_second=50, max_concurrent_requests=64)
    begun = time.monotonic()
    await asyncio.gather(*(paced.get("orders") for _ in range(26)))
    assert time.monotonic() - begun >= 0.49


async def test_runs_no_more_requests_at_once_than_allowed(stage: Stage, client: MakeClient) -> None:
    running, most = 0, 0

    async def counted(_request: web.Request) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return web.json_response({})

    stage.then(counted)
    paced = client(max_concurrent_requests=3)
    await asyncio.gather(*(paced.get("orders") for _ in range(20)))
    assert most == 3


async def test_logs_neither_bodies_nor_secrets(
    stage: Stage, client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stage.then(says(400, {"message": "marked-body jane@example.com"}))
    with pytest.raises(MagentoError) as refused:
        await client().get("customers/search", [("value", "jane@example.com")])
    assert "jane" not in str(refused.value)
    said = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("adapters"))
    assert "a-token" not in said
    assert "jane" not in said
