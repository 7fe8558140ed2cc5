"""The check names what is fine and what to do about the rest."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.magento.check import Finding, check_shop
from adapters.magento.config import StoreView
from adapters.magento.shop import Shop
from adapters.magento.simulator.config import INTEGRATION, Integration
from adapters.magento.simulator.faults import Planned
from tests.magento.world import World

MakeShop = Callable[..., Shop]


async def found(shop: Shop, *, first_run: bool = False) -> list[Finding]:
    return [one async for one in check_shop(shop, first_run=first_run)]


async def test_all_is_well(world: World, make_shop: MakeShop) -> None:
    world.add_order(1)
    world.add_order(2, ext_order_id="7")
    findings = await found(make_shop(sap_contact_person="sap_contact_person"), first_run=True)
    assert [one for one in findings if not one.ok] == []
    lines = [one.line for one in findings]
    assert any("b2b_en, de, default" in line for line in lines)
    assert any("up to 1 orders without a number" in line for line in lines)
    assert sum("customer attribute" in line for line in lines) == 3
    assert not [one for one in world.requests if not one.startswith("GET")]


async def test_names_an_attribute_that_is_missing(world_without: Callable[[str], Any], shop_of: MakeShop) -> None:
    findings = await found(shop_of(await world_without("sap_credit_limit")))
    (bad,) = [one for one in findings if not one.ok]
    assert bad.line == "customer attribute sap_credit_limit is missing"
    assert "Create the customer attribute sap_credit_limit" in bad.remedy


async def test_names_a_resource_that_is_not_granted(worlds: Callable[..., Any], shop_of: MakeShop) -> None:
    limited = Integration(
        consumer_key=INTEGRATION.consumer_key,
        consumer_secret=INTEGRATION.consumer_secret,
        access_token=INTEGRATION.access_token,
        token_secret=INTEGRATION.token_secret,
        resources=("Magento_Backend::store", "Magento_Sales::actions_view", "Magento_Sales::sales_invoice"),
    )
    findings = await found(shop_of(await worlds(integrations=(limited,))))
    bad = {one.line.split()[0]: one for one in findings if not one.ok}
    assert "Magento_Customer::customer" in bad["customers/search"].line
    assert "resource" in bad["customers/search"].remedy


async def test_a_store_that_does_not_exist(make_shop: MakeShop) -> None:
    stores = {"1": StoreView(code="main", website="1"), "99": StoreView(code="x", website="1")}
    findings = await found(make_shop(stores=stores))
    assert [one.line for one in findings if not one.ok] == ["store id 99 of magento.stores does not exist"]


@pytest.mark.parametrize("kind", ["maintenance", "unauthorized"])
async def test_a_shop_that_cannot_be_asked_ends_the_check_with_one_line(
    world: World, make_shop: MakeShop, kind: Any
) -> None:
    world.fail_next(Planned(kind))
    (finding,) = await found(make_shop())
    assert not finding.ok
    assert finding.remedy
