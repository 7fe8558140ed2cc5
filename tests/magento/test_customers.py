"""What ECC decided, in the customer's account: written once, verified, and never more than needed."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.magento.customers import (
    ACCOUNT_GONE,
    ADDRESS_HAS_ACCOUNT,
    EMAIL_TAKEN,
    NO_ACCOUNT,
    numbers_of,
    update_customers,
)
from adapters.magento.shop import Shop
from adapters.magento.simulator.faults import Planned
from schemas.envelope import Envelope, Message
from schemas.failures import Permanent, Transient
from schemas.messages import CustomerRegistered, CustomerUpdated, Registration
from tests.magento.world import World

MakeShop = Callable[..., Shop]


def registered(account_id: str | None = "5", **changes: Any) -> Message[CustomerRegistered]:
    settings: dict[str, Any] = {
        "customer_key": f"1:{account_id}" if account_id else "1:guest:jane@acme.example",
        "website": "1",
        "store": "default",
        "registration": Registration("0000100007", "0000000042"),
        "email": "jane@acme.example",
        "original_email": "acme.jane@acme.example",
        "credit_limit": Decimal(5000),
        "credit_currency": "EUR",
        "registered_at": datetime.now(UTC),
        "account_id": account_id,
        "first_name": "Jane",
        "last_name": "Doe",
    }
    envelope = Envelope("m1", "/test", "orderbus.customer.registered.v1", datetime.now(UTC))
    return Message(envelope, CustomerRegistered(**{**settings, **changes}))


async def run(shop: Shop, message: Message[CustomerRegistered]) -> CustomerUpdated:
    (updated,) = await update_customers(shop)(message)  # type: ignore[misc]
    assert isinstance(updated, CustomerUpdated)
    assert updated.customer_key == message.body.customer_key
    assert updated.registration == message.body.registration
    return updated


def attributes(world: World, customer_id: int) -> dict[str, str]:
    pairs = world.customer(customer_id).get("custom_attributes", [])
    return {pair["attribute_code"]: pair["value"] for pair in pairs}


def writes(world: World) -> list[str]:
    return [one for one in world.requests if not one.startswith("GET")]


async def test_writes_number_address_and_credit(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example", sap_customer_number="0000099999", sap_sales_org="1000")
    before = world.customer(5)
    updated = await run(make_shop(), registered())
    assert (updated.account_id, updated.reason) == ("5", "")
    after = world.customer(5)
    assert after["email"] == "jane@acme.example"
    assert attributes(world, 5) == {
        "sap_customer_number": "0000100007",
        "sap_sales_org": "1000",
        "sap_credit_limit": "5000.00",
    }
    assert after["addresses"] == before["addresses"] != []
    assert (after["firstname"], after["website_id"], after["group_id"]) == (
        before["firstname"], before["website_id"], before["group_id"],
    )  # fmt: skip


async def test_writes_the_contact_person_where_configured(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    await run(make_shop(sap_contact_person="sap_contact_person"), registered())
    assert attributes(world, 5)["sap_contact_person"] == "0000000042"


async def test_a_repetition_writes_nothing(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    shop = make_shop()
    await run(shop, registered())
    assert len(writes(world)) == 1
    await run(shop, registered())
    assert len(writes(world)) == 1


@pytest.mark.parametrize("stored", ["5000", "5000.000000", "5000.00"])
async def test_the_same_amount_written_otherwise_is_no_difference(
    world: World, make_shop: MakeShop, stored: str
) -> None:
    world.add_customer(5, "jane@acme.example", sap_customer_number="100007", sap_credit_limit=stored)
    await run(make_shop(), registered())
    assert writes(world) == []


@pytest.mark.parametrize("code", ["sap_customer_number", "sap_credit_limit"])
async def test_an_attribute_that_magento_drops_is_permanent(
    world_without: Callable[[str], Any], shop_of: MakeShop, code: str
) -> None:
    world = await world_without(code)
    world.add_customer(5, "acme.jane@acme.example")
    with pytest.raises(Permanent, match=code) as failed:
        await run(shop_of(world), registered())
    assert "Create the customer attribute" in failed.value.remedy


async def test_an_address_that_is_taken_passes_with_the_rest_written(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    world.add_customer(6, "Jane@acme.example")
    updated = await run(make_shop(), registered())
    assert updated.reason == EMAIL_TAKEN
    assert world.customer(5)["email"] == "acme.jane@acme.example"
    assert attributes(world, 5)["sap_customer_number"] == "0000100007"
    assert attributes(world, 6) == {}


async def test_the_same_address_in_another_website_is_free(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    world.add_customer(6, "jane@acme.example", website_id=2)
    assert (await run(make_shop(), registered())).reason == ""
    assert world.customer(5)["email"] == "jane@acme.example"


async def test_an_account_that_is_gone_passes(make_shop: MakeShop) -> None:
    assert (await run(make_shop(), registered())).reason == ACCOUNT_GONE


async def test_an_account_stays_in_its_own_website(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example", website_id=2)
    await run(make_shop(), registered())
    assert world.customer(5)["website_id"] == 2


async def test_a_guest_passes_without_an_account(world: World, make_shop: MakeShop) -> None:
    updated = await run(make_shop(), registered(None))
    assert (updated.account_id, updated.reason) == (None, NO_ACCOUNT)
    assert world.customer_ids() == []


async def test_a_guest_gets_an_account_once(world: World, make_shop: MakeShop) -> None:
    shop = make_shop(create_accounts=True)
    updated = await run(shop, registered(None))
    assert updated.reason == ""
    (made,) = world.customer_ids()
    assert updated.account_id == str(made)
    account = world.customer(made)
    assert (account["email"], account["firstname"], account["website_id"]) == ("jane@acme.example", "Jane", 1)
    assert attributes(world, made) == {"sap_customer_number": "0000100007", "sap_credit_limit": "5000.00"}
    assert await run(shop, registered(None)) == updated
    assert world.customer_ids() == [made]


async def test_a_guests_account_is_made_in_its_own_website(world: World, make_shop: MakeShop) -> None:
    world.add_customer(6, "jane@acme.example")
    await run(make_shop(create_accounts=True), registered(None, website="2", store="b2b_en"))
    made = world.customer(max(world.customer_ids()))
    assert (made["website_id"], made["store_id"]) == (2, 2)


@pytest.mark.parametrize("number", ["0000055555", ""])
async def test_a_foreign_account_is_never_adopted(world: World, make_shop: MakeShop, number: str) -> None:
    world.add_customer(6, "jane@acme.example", **({"sap_customer_number": number} if number else {}))
    before = world.customer(6)
    updated = await run(make_shop(create_accounts=True), registered(None))
    assert (updated.account_id, updated.reason) == (None, ADDRESS_HAS_ACCOUNT)
    assert world.customer(6) == before
    assert writes(world) == []


async def test_an_account_whose_creation_was_not_answered_is_adopted(world: World, make_shop: MakeShop) -> None:
    shop = make_shop(create_accounts=True, retries=3)
    world.fail_next(Planned("cut", method="POST"))
    with pytest.raises(Transient):
        await run(shop, registered(None))
    assert len(world.customer_ids()) == 1
    assert (await run(shop, registered(None))).reason == ""
    assert len(world.customer_ids()) == 1


async def test_no_account_is_made_without_its_attributes(
    world_without: Callable[[str], Any], shop_of: MakeShop
) -> None:
    world = await world_without("sap_customer_number")
    with pytest.raises(Permanent, match="sap_customer_number"):
        await run(shop_of(world, create_accounts=True), registered(None))
    assert world.customer_ids() == []


async def test_an_update_whose_answer_is_lost_is_repeated(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    world.fail_next(Planned("cut", method="PUT"))
    assert (await run(make_shop(retries=2), registered())).reason == ""


async def test_an_empty_number_is_permanent(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example", sap_customer_number="0000099999")
    with pytest.raises(Permanent, match="without a SAP customer number"):
        await run(make_shop(), registered(registration=Registration(" ")))
    assert attributes(world, 5) == {"sap_customer_number": "0000099999"}


async def test_an_address_that_magento_refuses_is_permanent_and_not_shown(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "acme.jane@acme.example")
    with pytest.raises(Permanent) as failed:
        await run(make_shop(), registered(email="no address"))
    assert "acme.example" not in str(failed.value)
    assert "valid email" in str(failed.value)


async def test_numbers_are_read_of_many_accounts_at_once(world: World, make_shop: MakeShop) -> None:
    world.add_customer(5, "jane@acme.example", sap_customer_number="100007")
    world.add_customer(6, "joe@acme.example")
    asked = ["5", "0006", "7", "", "0", "-5", "5.0", "\u00b2", "nobody", "9" * 30]
    assert await numbers_of(make_shop(), asked) == {"5": "0000100007", "0006": ""}
    assert len(world.requests) == 1
    assert await numbers_of(make_shop(), ["nobody"]) == {}
    assert len(world.requests) == 1
