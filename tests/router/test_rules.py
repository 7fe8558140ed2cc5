"""The routing table, tested as one."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from router.policy import RoutingPolicy
from router.rules import RULES, decide
from schemas import messages as m
from schemas.failures import Permanent
from schemas.order import Address, Buyer, Item, Order, OrderRef, Payment, Shipping, Totals

POLICY = RoutingPolicy(default_customer="99999", default_customers={"b2b": "0000077777"})
REF = OrderRef("default", "7", "000000007")
JANE = m.Registration("0000100001", "0000000042")


def an_order(store: str = "default", account: str | None = "5", number: str = "", **buyer: str) -> Order:
    day = datetime(2026, 11, 23, tzinfo=UTC)
    one = Decimal("10.00")
    return Order(
        ref=OrderRef(store, "7", "000000007"),
        website="1",
        placed_at=day,
        updated_at=day,
        state="new",
        status="pending",
        currency="EUR",
        base_currency="EUR",
        base_to_order_rate=Decimal(1),
        buyer=Buyer("1:5", buyer.pop("email", "jane@example.com"), account, sap_customer_number=number, **buyer),
        billing=Address(first_name="Jane", last_name="Doe", company="Acme", vat_id="DE1"),
        items=(Item("1", "MUG", "Mug", "simple", Decimal(1), one, one, one, Decimal(0), one, Decimal(0)),),
        shipping=Shipping(),
        payment=Payment("checkmo"),
        totals=Totals(one, Decimal(0), one, Decimal(0), one),
    )


@pytest.mark.parametrize(
    ("store", "account", "number", "expected"),
    [
        ("default", "5", "0000100001", m.AddSalesOrder),
        ("default", "5", "100001", m.AddSalesOrder),
        ("default", "5", "", m.HoldOrder),
        ("default", "5", "0000099999", m.HoldOrder),
        ("default", "5", "99999", m.HoldOrder),
        ("default", "5", "0000077777", m.AddSalesOrder),
        ("b2b", "5", "77777", m.HoldOrder),
        ("b2b", "5", "99999", m.AddSalesOrder),
        ("default", None, "", m.HoldOrder),
        ("default", None, "0000100001", m.HoldOrder),
    ],
)
def test_the_sap_customer_number_alone_decides_who_is_a_guest(
    store: str, account: str | None, number: str, expected: type[m.Command]
) -> None:
    (command,) = decide(POLICY, m.OrderPlaced(an_order(store, account, number)))
    assert type(command) is expected


def test_a_registered_order_goes_to_its_padded_number() -> None:
    (command,) = decide(POLICY, m.OrderPlaced(an_order(number="100001")))
    assert isinstance(command, m.AddSalesOrder)
    assert (command.sap_customer_number, command.contact_person) == ("0000100001", "")


@pytest.mark.parametrize("account", [None, "5"])
def test_the_released_number_decides_over_what_the_shop_still_says(account: str | None) -> None:
    (command,) = decide(POLICY, m.OrderPlaced(an_order(account=account, number="99999"), JANE))
    assert isinstance(command, m.AddSalesOrder)
    assert (command.sap_customer_number, command.contact_person) == ("0000100001", "0000000042")


@pytest.mark.parametrize("number", ["", "99999", "0000099999", " "])
def test_an_order_released_without_a_real_number_is_refused_and_never_held_again(number: str) -> None:
    with pytest.raises(Permanent, match="empty or the store's default"):
        decide(POLICY, m.OrderPlaced(an_order(), m.Registration(number)))


def test_a_held_order_carries_what_registration_needs() -> None:
    (command,) = decide(POLICY, m.OrderPlaced(an_order(number="99999", email="acme.jane@x.example", company="Acme")))
    assert isinstance(command, m.HoldOrder)
    customer = command.customer
    assert customer.key == "1:5"
    assert customer.carried_default
    assert (customer.first_name, customer.last_name, customer.company, customer.vat_id) == (
        "Jane",
        "Doe",
        "Acme",
        "DE1",
    )


def held(email: str, company: str = "", *, account: str | None = "5", carried_default: bool = True) -> m.OrderHeld:
    customer = m.Customer(
        "1:5", "default", "1", email, "EUR", Address(), account, company=company, carried_default=carried_default
    )
    return m.OrderHeld(REF, customer)


@pytest.mark.parametrize(
    ("message", "email"),
    [
        (held("acme.jane.doe@acme.example", "ACME"), "jane.doe@acme.example"),
        (held("acme.jane.doe@acme.example", "Other"), "acme.jane.doe@acme.example"),
        (held("acme.jane.doe@acme.example", ""), "acme.jane.doe@acme.example"),
        (held("acme.jane@acme.example", "ACME", carried_default=False), "acme.jane@acme.example"),
        (held("acme.jane@acme.example", "ACME", account=None), "acme.jane@acme.example"),
        (held("acme@acme.example", "acme"), "acme@acme.example"),
        (held("acme.@acme.example", "acme"), "acme.@acme.example"),
        (held("mullerco.jane@m.example", "Müller & Co."), "jane@m.example"),
    ],
)
def test_the_prefix_is_dropped_only_from_a_waiting_account_of_that_company(message: m.OrderHeld, email: str) -> None:
    (command,) = decide(POLICY, message)
    assert isinstance(command, m.RegisterCustomer)
    assert command.email == email
    assert command.customer.email == message.customer.email


def test_the_email_format_is_configurable() -> None:
    policy = msgspec.structs.replace(POLICY, email_format="{contact}+{company}@{domain}")
    (command,) = decide(policy, held("acme.jane@x.example", "acme"))
    assert isinstance(command, m.RegisterCustomer)
    assert command.email == "jane+acme@x.example"


@pytest.mark.parametrize("template", ["{person}@{domain}", "{contact", "{0}"])
def test_an_unknown_email_format_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="email_format"):
        RoutingPolicy(email_format=template)


@pytest.mark.parametrize(
    ("customer_is", "message", "key"),
    [
        ("person", held("acme.jane@x.example", "acme"), ""),
        ("company", held("acme.jane@x.example", "acme"), "1:company:acme"),
        ("company", held("ACME.john@y.example"), "1:company:acme"),
        ("company", held("jane@x.example", "acme"), ""),
        ("company", held("acme.jane@x.example", "Other"), ""),
        ("company", held("acme.jane@x.example", account=None), ""),
        ("company", held("acme.jane@x.example", carried_default=False), ""),
    ],
)
def test_accounts_of_one_company_share_a_key_only_under_company(
    customer_is: str, message: m.OrderHeld, key: str
) -> None:
    policy = msgspec.convert({"customer_is": customer_is}, RoutingPolicy)
    (command,) = decide(policy, message)
    assert isinstance(command, m.RegisterCustomer)
    assert command.company_key == key


def test_an_updated_customer_leads_to_the_release_of_its_orders() -> None:
    assert decide(POLICY, m.CustomerUpdated("1:5", JANE)) == (m.ReleaseOrders("1:5", JANE),)


def test_a_released_order_is_read_again_with_its_numbers() -> None:
    assert decide(POLICY, m.OrderReleased(REF, "1:5", JANE)) == (m.FetchOrder(REF, JANE),)


def test_every_rule_makes_the_command_that_the_table_says() -> None:
    assert [rule.then for rule in RULES if rule.on is m.OrderPlaced] == [
        None,
        m.AddSalesOrder,
        m.AddSalesOrder,
        m.HoldOrder,
    ]
