"""Who is let in: tokens and signatures, and how everyone else is turned away."""

import functools
import time

import pytest

from adapters.magento.simulator.config import INTEGRATION, Integration
from adapters.magento.simulator.oauth import natural

from .replay import Client, body, recording, same, sign

ORDER = "/rest/V1/orders/1"
LIMITED = Integration("l" * 32, "m" * 32, "n" * 32, "o" * 32, resources=("Magento_Sales::actions_view",))


def test_the_default_credentials_have_magentos_length() -> None:
    given = (INTEGRATION.consumer_key, INTEGRATION.consumer_secret, INTEGRATION.access_token, INTEGRATION.token_secret)
    assert [len(each) for each in given] == [32] * 4


@pytest.mark.parametrize(
    "name",
    [
        "404_order", "404_no_route", "404_no_route_version", "404_method_not_allowed", "404_rest_root", "405_patch",
        "404_customer", "400_bad_json", "400_empty_body", "400_json_string", "400_token_missing_field",
        "401_wrong_password", "401_no_auth_post",
    ],
)  # fmt: skip
async def test_errors_as_recorded(recorded: Client, name: str) -> None:
    request = recording(f"errors/{name}")["request"]
    headers = {"Content-Type": "application/json"}
    if name == "400_json_string":
        answer = await recorded.send("POST", request["path"], '"x"', "admin")
    elif request["body"] == "":
        answer = await recorded.send("POST", request["path"], None, "admin", headers)
    else:
        answer = await recorded.replay(f"errors/{name}")
    same(answer, f"errors/{name}")


@pytest.mark.parametrize(
    "name", ["auth/admin_bearer", "auth/none", "auth/oauth1_sha256", "auth/integration_bearer_token_enabled"]
)
async def test_ways_in_as_recorded(recorded: Client, name: str) -> None:
    same(await recorded.replay(name), name)


async def test_integration_tokens_as_bearer_can_be_off(start: object) -> None:
    client = await start(integration_bearer=False)
    same(await client.replay("auth/integration_bearer_token_default"), "auth/integration_bearer_token_default")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("401_basic_auth", "Basic YWRtaW46YWRtaW4="),
        ("401_empty_bearer", "Bearer "),
        ("401_garbage_bearer", "Bearer garbage"),
    ],
)
async def test_wrong_headers_as_recorded(recorded: Client, name: str, header: str) -> None:
    same(await recorded.send("GET", ORDER, auth=header), f"errors/{name}")


async def test_lower_case_bearer(recorded: Client) -> None:
    answer = await recorded.send("GET", f"{ORDER}?fields=entity_id", auth=f"bearer {INTEGRATION.access_token}")
    same(answer, "auth/lowercase_bearer")


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("oauth_bad_consumer", {"oauth_consumer_key": "x" * 32}),
        ("oauth_short_consumer", {"oauth_consumer_key": "x"}),
        ("oauth_bad_token", {"oauth_token": "x" * 32}),
        ("oauth_short_token", {"oauth_token": "x"}),
        ("oauth_missing_nonce", {"oauth_nonce": ""}),
        ("oauth_version_2", {"oauth_version": "2.0"}),
        ("oauth_ts_future_11min", {"oauth_timestamp": "+660"}),
        ("oauth_ts_future_1h", {"oauth_timestamp": "+3600"}),
        ("oauth_ts_future_9min", {"oauth_timestamp": "+540"}),
        ("oauth_ts_old_1d", {"oauth_timestamp": "-86400"}),
        ("oauth_no_version", {"oauth_version": ""}),
    ],
)
async def test_signatures_as_recorded(recorded: Client, name: str, overrides: dict[str, str]) -> None:
    if shift := overrides.get("oauth_timestamp"):
        overrides = {"oauth_timestamp": str(int(time.time()) + int(shift))}
    header = sign("GET", recorded.simulator.url + ORDER, **overrides)
    answer = await recorded.send("GET", ORDER, auth=header)
    response = recording(f"errors/{name}")["response"]
    assert answer.status == response["status"], answer.text
    if answer.status != 200:
        assert answer.body == response["body"]


async def test_sha1_is_refused(recorded: Client) -> None:
    url = "/rest/V1/store/storeViews"
    header = sign("GET", recorded.simulator.url + url, oauth_signature_method="HMAC-SHA1")
    same(await recorded.send("GET", url, auth=header), "auth/oauth1_sha1")


async def test_a_nonce_works_once(recorded: Client) -> None:
    header = sign("GET", recorded.simulator.url + ORDER, oauth_nonce="once")
    assert (await recorded.send("GET", ORDER, auth=header)).status == 200
    same(await recorded.send("GET", ORDER, auth=header), "errors/oauth_nonce_replay_same_ts")
    later = sign("GET", recorded.simulator.url + ORDER, oauth_nonce="once", oauth_timestamp=str(int(time.time()) - 9))
    same(await recorded.send("GET", ORDER, auth=later), "errors/oauth_nonce_replay_other_ts")


@pytest.mark.parametrize("part", ["method", "path", "query", "host"])
async def test_the_signature_covers(recorded: Client, part: str) -> None:
    signed = {"method": "GET", "path": ORDER, "query": "?fields=entity_id", "host": recorded.simulator.url}
    broken = {
        **signed,
        part: {"method": "POST", "path": ORDER + "/", "query": "?fields=status", "host": "https://shop.example"}[part],
    }
    for given, status in ((signed, 200), (broken, 401)):
        header = sign(given["method"], given["host"] + given["path"] + given["query"])
        assert (await recorded.send("GET", f"{ORDER}?fields=entity_id", auth=header)).status == status


@pytest.mark.parametrize("groups", [10, 11, 15])
async def test_parameters_are_sorted_in_natural_order(recorded: Client, groups: int) -> None:
    parts = []
    for index in range(groups):
        place = f"searchCriteria%5BfilterGroups%5D%5B{index}%5D%5Bfilters%5D%5B0%5D"
        parts += [
            f"{place}%5Bfield%5D=entity_id",
            f"{place}%5Bvalue%5D={100 + index}",
            f"{place}%5BconditionType%5D=neq",
        ]
    path = "/rest/V1/orders?fields=total_count&" + "&".join(parts)
    standard = await recorded.send("GET", path, auth=sign("GET", recorded.simulator.url + path))
    assert standard.status == (200 if groups <= 10 else 401)
    key = functools.cmp_to_key(lambda a, b: natural(a[0], b[0]))
    header = sign("GET", recorded.simulator.url + path, sort_key=key)
    ordered = await recorded.send("GET", path, auth=header)
    assert (ordered.status, ordered.body) == (200, {"total_count": 12})


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [("a2", "a10", -1), ("a10", "a2", 1), ("a1", "a1", 0), ("a01", "a1", -1), ("a", "a1", -1), ("b", "a9", 1)],
)
def test_natural_order_is_strnatcmp(left: str, right: str, order: int) -> None:
    assert natural(left, right) == order


async def test_an_integration_may_do_what_it_was_given(start: object) -> None:
    client = await start(integrations=(INTEGRATION, LIMITED))
    client.simulator.take_order(body("orders/get_registered"))
    cases = {
        "errors/200_limited_integration_orders": None,
        "errors/401_limited_integration_order_save": None,
        "errors/401_limited_integration_other_resource": None,
    }
    for name in cases:
        request = recording(name)["request"]
        header = sign(request["method"], client.simulator.url + request["path"], LIMITED)
        same(await client.send(request["method"], request["path"], request["body"], header), name)


async def test_notations(recorded: Client) -> None:
    for name, accept in (
        ("accept_xml", "application/xml"),
        ("accept_html", "text/html"),
        ("404_accept_xml", "application/xml"),
    ):
        path = recording(f"errors/{name}")["request"]["path"]
        answer = await recorded.send("GET", path, auth="admin", headers={"Accept": accept})
        response = recording(f"errors/{name}")["response"]
        assert (answer.status, answer.content_type) == (response["status"], response["content_type"])
        if name != "accept_html":
            assert answer.text == response["text"]


async def test_content_types(recorded: Client) -> None:
    for name, kind in (("4xx_content_type_text", "text/plain"), ("ct_json_charset", "application/json; charset=UTF-8")):
        request = recording(f"errors/{name}")["request"]
        answer = await recorded.send("POST", request["path"], request["body"], "admin", {"Content-Type": kind})
        assert answer.status == recording(f"errors/{name}")["response"]["status"]
    assert (await recorded.order(1))["ext_order_id"] == "0000012345"


async def test_json_is_escaped_as_php_does(recorded: Client) -> None:
    answer = await recorded.send("GET", "/rest/V1/orders/1?fields=customer_firstname,payment", auth="admin")
    assert '"customer_firstname":"J\\u00fcrgen"' in answer.text
    assert '"Check \\/ Money order"' in answer.text
