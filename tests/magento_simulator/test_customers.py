"""Customer accounts, replayed in the order of the recordings, and with other accounts."""

import pytest

from adapters.magento.simulator.config import SimulatorConfig
from adapters.magento.simulator.shopper import PASSWORD

from .replay import RECORDINGS, Client, differences, recording, same

OWN_ATTRIBUTES = ("sap_customer_number", "sap_sales_org")
FROM_EMPTY_SHOP = ["create", "get", "search"]
STORY = FROM_EMPTY_SHOP + sorted(
    path.stem for path in (RECORDINGS / "customers").glob("*.json") if path.stem not in FROM_EMPTY_SHOP
)


async def test_the_whole_story_answers_as_recorded(start: object) -> None:
    client = await start(customer_attributes=OWN_ATTRIBUTES)
    # The last search looks at the orders of the customer.
    client.simulator.take_order(recording("orders/get_registered")["response"]["body"])
    for name in STORY:
        answer = recording(f"customers/{name}")["response"].get("body")
        moment = answer.get("updated_at") if isinstance(answer, dict) else None
        given = await client.replay(f"customers/{name}", at=moment or "2026-11-23 02:59:00")
        same(given, f"customers/{name}")


async def create(client: Client, email: str, **more: object) -> dict[str, object]:
    customer = {"email": email, "firstname": "A", "lastname": "B", **more}
    return await client.do("POST", "/rest/V1/customers", {"customer": customer})


async def test_email_is_unique_in_a_website_whatever_its_case(shop: Client) -> None:
    await create(shop, "one@example.com")
    again = await shop.send(
        "POST", "/rest/V1/customers", {"customer": {"email": "ONE@example.com", "firstname": "A", "lastname": "B"}}
    )
    assert (again.status, again.body["message"]) == (
        400,
        "A customer with the same email address already exists in an associated website.",
    )
    other = await create(shop, "one@example.com", website_id=2)
    assert (other["website_id"], other["store_id"]) == (2, 2)


async def test_unknown_attributes_are_dropped_and_known_ones_found(shop: Client) -> None:
    attributes = [
        {"attribute_code": "sap_customer_number", "value": "0000100077"},
        {"attribute_code": "sap_shoe_size", "value": "47"},
    ]
    made = await create(shop, "two@example.com", custom_attributes=attributes)
    assert made["custom_attributes"] == [{"attribute_code": "sap_customer_number", "value": "0000100077"}]
    search = "searchCriteria[filterGroups][0][filters][0]"
    field = f"{search}[field]=sap_customer_number&{search}[value]="
    found = await shop.get(f"/rest/V1/customers/search?{field}0000100077&fields=items[id],total_count")
    assert found == {"items": [{"id": made["id"]}], "total_count": 1}
    assert (await shop.get(f"/rest/V1/customers/search?{field}0000100078"))["total_count"] == 0


async def test_many_customers_in_one_call(start: object) -> None:
    client = await start(registered_customers=3, prospects=2, default_customer_number="0000055555")
    search = "searchCriteria[filterGroups][0][filters][0]"
    query = f"{search}[field]=entity_id&{search}[condition_type]=in&{search}[value]=1,3,5,99"
    found = await client.get(f"/rest/V1/customers/search?{query}")
    assert [item["id"] for item in found["items"]] == [1, 3, 5]
    numbers = [item["custom_attributes"][0]["value"] for item in found["items"]]
    assert numbers == ["0000010001", "0000010003", "0000055555"]
    prefix, _, domain = found["items"][2]["email"].partition("@")
    assert prefix.split(".")[0] == domain.split(".")[0] == "prospect1"


async def test_addresses_stay_unless_they_are_sent(start: object) -> None:
    client = await start(registered_customers=1)
    before = await client.get("/rest/V1/customers/1")
    await client.do("PUT", "/rest/V1/customers/1", {"customer": {"firstname": "New"}})
    after = await client.get("/rest/V1/customers/1")
    assert differences(before | {"firstname": "New", "updated_at": after["updated_at"]}, after) == []
    await client.do("PUT", "/rest/V1/customers/1", {"customer": {"addresses": []}})
    gone = await client.get("/rest/V1/customers/1")
    assert gone["addresses"] == []
    assert "default_billing" not in gone


async def test_a_deleted_account_leaves_its_orders(recorded: Client) -> None:
    assert (await recorded.order(1))["customer_id"] == 1
    assert await recorded.do("DELETE", "/rest/V1/customers/1") is True
    assert (await recorded.send("GET", "/rest/V1/customers/1", auth="admin")).status == 404
    assert "customer_id" not in await recorded.order(1)


@pytest.mark.parametrize("code", SimulatorConfig().customer_attributes)
async def test_attributes_are_described(shop: Client, code: str) -> None:
    assert (await shop.get(f"/rest/V1/attributeMetadata/customer/attribute/{code}"))["attribute_code"] == code
    missing = await shop.send("GET", f"/rest/V1/attributeMetadata/customer/attribute/no_{code}")
    assert missing.status == 404


async def test_customer_tokens_are_for_customers(start: object) -> None:
    client = await start(registered_customers=1)
    email = (await client.get("/rest/V1/customers/1"))["email"]
    login = {"username": email, "password": PASSWORD}
    token = (await client.send("POST", "/rest/V1/integration/customer/token", login)).body
    mine = await client.send("GET", "/rest/V1/customers/me", auth=f"Bearer {token}")
    assert mine.body["email"] == email
    same(await client.send("GET", "/rest/V1/orders/1", auth=f"Bearer {token}"), "errors/401_customer_token_on_orders")
    wrong = await client.send("POST", "/rest/V1/integration/customer/token", login | {"password": "x"})
    assert wrong.status == 401
