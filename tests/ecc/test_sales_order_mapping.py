"""The call that writes an order: what goes where, and what is refused instead of cut."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.ecc.config import Condition, Conditions, EccConfig, Store
from adapters.ecc.mapping.sales_order import create_parameters
from schemas.failures import Permanent
from schemas.order import Address, Component, Option, Order, OrderRef, Payment, Shipping, Totals
from tests.ecc.examples import ADDRESS, CONDITIONS, CONFIG, STORE, line, order

LONG = "x" * 41


def call(
    placed: Order, sold_to: str = "10001", contact: str = "", config: EccConfig = CONFIG, **store: Any
) -> dict[str, Any]:
    changed = replace(config, default=replace(STORE, **store)) if store else config
    return create_parameters(placed, sold_to, contact, changed)


def refused(placed: Order, sold_to: str = "10001", contact: str = "", **store: Any) -> Permanent:
    with pytest.raises(Permanent) as caught:
        call(placed, sold_to, contact, **store)
    return caught.value


def conditions(parameters: dict[str, Any], number: str) -> list[tuple[str, Decimal]]:
    rows = parameters["ORDER_CONDITIONS_IN"]
    return [(row["COND_TYPE"], row["COND_VALUE"]) for row in rows if row["ITM_NUMBER"] == number]


class TestHeader:
    """ORDER_HEADER_IN."""

    def test_the_key_stands_in_purch_no_c_and_the_buyers_number_in_purch_no_s(self) -> None:
        header = call(order(payment=Payment("purchaseorder", "4500012345/7")))["ORDER_HEADER_IN"]
        assert (header["PURCH_NO_C"], header["PURCH_NO_S"]) == ("default-000000011", "4500012345/7")
        assert header["PMNTTRMS"] == "NT30"

    def test_configuration_swaps_the_two(self) -> None:
        swapped = replace(CONFIG, key_field="purch_no_s", order_key_prefix="M1-")
        header = call(order(payment=Payment("purchaseorder", "45")), config=swapped)["ORDER_HEADER_IN"]
        assert (header["PURCH_NO_C"], header["PURCH_NO_S"]) == ("45", "M1-default-000000011")

    def test_every_value_is_flagged(self) -> None:
        parameters = call(order())
        header, flags = parameters["ORDER_HEADER_IN"], parameters["ORDER_HEADER_INX"]
        assert flags == dict.fromkeys(header, "X") | {"UPDATEFLAG": "I"}

    def test_the_day_is_the_shops(self) -> None:
        late = order(placed_at=order().placed_at.replace(hour=23, minute=30))
        assert call(late)["ORDER_HEADER_IN"]["PURCH_DATE"] == "20261124"
        assert call(late, time_zone="UTC")["ORDER_HEADER_IN"]["PURCH_DATE"] == "20261123"

    def test_methods_that_are_not_mapped_leave_the_customers_own(self) -> None:
        header = call(order(payment=Payment("braintree")), shipping_conditions={})["ORDER_HEADER_IN"]
        assert "PMNTTRMS" not in header
        assert "SHIP_COND" not in header

    def test_a_buyers_number_that_is_too_long_is_refused_with_field_value_and_limit(self) -> None:
        failure = refused(order(payment=Payment("purchaseorder", "4" * 36)))
        assert "PURCH_NO_S" in failure.cause
        assert "4" * 36 in failure.cause
        assert "35" in failure.cause

    def test_a_key_that_is_too_long_is_refused(self) -> None:
        assert "takes 35" in refused(order(increment_id="9" * 30)).cause

    @pytest.mark.parametrize(("store", "increment_id"), [("default", ""), ("", "1"), ("a-b", "1"), ("a b", "1")])
    def test_a_key_of_odd_parts_is_refused(self, store: str, increment_id: str) -> None:
        refused(order(ref=OrderRef(store=store, order_id="1", increment_id=increment_id)))

    def test_a_store_that_is_not_configured_is_refused(self) -> None:
        with pytest.raises(Permanent, match="'default' is not configured"):
            create_parameters(order(), "1", "", replace(CONFIG, default=None, stores={"other": STORE}))


class TestPartners:
    """ORDER_PARTNERS and PARTNERADDRESSES."""

    def test_all_roles_name_the_padded_customer_and_a_contact_stands_beside_them(self) -> None:
        rows = call(order(), "10001", "7")["ORDER_PARTNERS"]
        assert [(row["PARTN_ROLE"], row["PARTN_NUMB"]) for row in rows] == [
            ("AG", "0000010001"),
            ("WE", "0000010001"),
            ("RE", "0000010001"),
            ("RG", "0000010001"),
            ("AP", "0000000007"),
        ]

    def test_ship_to_and_bill_to_have_their_own_addresses(self) -> None:
        elsewhere = replace(ADDRESS, company="ACME GmbH", street=("Weg 2", "Hinterhaus"), email="")
        parameters = call(order(delivery=elsewhere))
        links = {row["PARTN_ROLE"]: row.get("ADDR_LINK") for row in parameters["ORDER_PARTNERS"]}
        addresses = {row["ADDR_NO"]: row for row in parameters["PARTNERADDRESSES"]}
        ship_to, bill_to = addresses[links["WE"]], addresses[links["RE"]]
        assert links["AG"] is links["RG"] is None
        assert (ship_to["NAME"], ship_to["NAME_2"], ship_to["STREET"]) == ("ACME GmbH", "Erika Mustermann", "Weg 2")
        assert ship_to["STR_SUPPL1"] == "Hinterhaus"
        assert ship_to["E_MAIL"] == "erika@example.com"
        assert (bill_to["NAME"], bill_to["STREET"], bill_to["REGION"]) == ("Erika Mustermann", "Am Markt 1", "11")

    def test_a_virtual_order_has_no_delivery_address(self) -> None:
        parameters = call(order(delivery=None))
        assert len(parameters["PARTNERADDRESSES"]) == 1
        assert "WE" in [row["PARTN_ROLE"] for row in parameters["ORDER_PARTNERS"]]

    @pytest.mark.parametrize(("which", "count"), [("both", 2), ("delivery", 1), ("none", 0)])
    def test_addresses_are_sent_as_configured(self, which: str, count: int) -> None:
        assert len(call(order(), addresses=which)["PARTNERADDRESSES"]) == count

    def test_regions_are_mapped_shared_or_left_out(self) -> None:
        def region(country: str, code: str) -> str | None:
            placed = order(billing=replace(ADDRESS, country=country, region_code=code), delivery=None)
            found: str | None = call(placed)["PARTNERADDRESSES"][0].get("REGION")
            return found

        assert (region("DE", "BAY"), region("US", "CA"), region("GB", "Kent")) == ("09", "CA", None)

    @pytest.mark.parametrize("number", ["", "  "])
    def test_no_customer_number_is_refused(self, number: str) -> None:
        assert "no SAP customer number" in refused(order(), number).cause

    def test_a_customer_number_that_is_too_long_is_refused_with_its_value(self) -> None:
        failure = refused(order(), "12345678901")
        assert "'12345678901'" in failure.cause
        assert "PARTN_NUMB takes 10" in failure.cause
        assert "customer number in the shop" in failure.remedy

    def test_long_names_and_streets_go_on_in_the_next_field(self) -> None:
        company = "Vereinigte Werkstätten für Kunst und Handwerk Aktiengesellschaft"
        row = call(order(billing=replace(ADDRESS, company=company), delivery=None))["PARTNERADDRESSES"][0]
        assert f"{row['NAME']} {row['NAME_2']}" == company
        assert row["NAME_3"] == "Erika Mustermann"
        assert len(row["NAME"]) <= 40

    def test_a_word_longer_than_a_field_loses_nothing(self) -> None:
        row = call(order(billing=replace(ADDRESS, street=("s" * 70,)), delivery=None))["PARTNERADDRESSES"][0]
        assert row["STREET"] + row["STR_SUPPL1"] == "s" * 70

    @pytest.mark.parametrize(
        "address",
        [
            replace(ADDRESS, company="Geheim " * 40),
            replace(ADDRESS, street=("Geheimweg 1",) * 6),
            replace(ADDRESS, city="Geheim" * 10),
            replace(ADDRESS, postcode="Geheim12345"),
            replace(ADDRESS, telephone="Geheim" * 6),
            replace(ADDRESS, email="Geheim" * 41),
        ],
    )
    def test_what_fits_no_field_is_refused_without_saying_it(self, address: Address) -> None:
        failure = refused(order(billing=address))
        assert "Geheim" not in str(failure)
        assert "take" in failure.cause


class TestItems:
    """ORDER_ITEMS_IN and ORDER_SCHEDULES_IN."""

    def test_numbers_quantities_and_units(self) -> None:
        parameters = call(order(), units={"TEE-01": "KG"})
        items, schedules = parameters["ORDER_ITEMS_IN"], parameters["ORDER_SCHEDULES_IN"]
        assert [(row["ITM_NUMBER"], row["SALES_UNIT"]) for row in items] == [("000010", "ST"), ("000020", "KG")]
        assert [(row["ITM_NUMBER"], row["REQ_QTY"]) for row in schedules] == [("000010", 3), ("000020", 1)]
        assert "TARGET_QTY" not in items[0]
        assert parameters["ORDER_SCHEDULES_INX"][0]["REQ_QTY"] == "X"
        assert parameters["ORDER_ITEMS_INX"][1] == {
            "ITM_NUMBER": "000020",
            "UPDATEFLAG": "I",
            "MATERIAL": "X",
            "PLANT": "X",
            "SALES_UNIT": "X",
            "SHORT_TEXT": "X",
        }

    @pytest.mark.parametrize(
        ("sku", "product_sku", "rules", "expected"),
        [
            ("MUG-01", "", {}, "MUG-01"),
            ("mug-01", "", {}, "MUG-01"),
            ("mug-01", "", {"material_upper_case": False}, "mug-01"),
            ("4711", "", {}, "4711"),
            ("4711", "", {"material_rule": "numeric"}, "000000000000004711"),
            ("A4711", "", {"material_rule": "numeric"}, "A4711"),
            ("OPT-01-GRAV", "OPT-01", {}, "OPT-01"),
            ("OPT-01-GRAV", "OPT-01", {"materials": {"OPT-01": "M1"}}, "M1"),
            ("OPT-01-GRAV", "OPT-01", {"materials": {"OPT-01": "M1", "OPT-01-GRAV": "M2"}}, "M2"),
        ],
    )
    def test_materials(self, sku: str, product_sku: str, rules: dict[str, Any], expected: str) -> None:
        item = replace(line("1", sku, "1", "10", "1.90"), product_sku=product_sku)
        assert call(order(item), **rules)["ORDER_ITEMS_IN"][0]["MATERIAL"] == expected

    def test_a_sku_that_is_not_listed_is_refused_where_it_must_be(self) -> None:
        assert "'MUG-01'" in refused(order(), material_rule="listed").cause

    def test_a_sku_longer_than_a_material_number_is_refused(self) -> None:
        failure = refused(order(line("1", "A" * 19, "1", "10", "1.90")))
        assert "MATERIAL takes 18" in failure.cause
        assert "`materials`" in failure.remedy

    def test_long_descriptions_are_cut_only_where_configured(self) -> None:
        item = replace(line("1", "MUG-01", "1", "10", "1.90"), name=LONG)
        assert "shorten_texts" in refused(order(item)).remedy
        assert call(order(item), shorten_texts=True)["ORDER_ITEMS_IN"][0]["SHORT_TEXT"] == LONG[:40]

    @pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+999999", "1.2345", "1E-30"])
    def test_impossible_quantities_are_refused(self, quantity: str) -> None:
        item = replace(line("1", "MUG-01", "1", "10", "1.90"), quantity=Decimal(quantity))
        refused(order(item))


class TestTexts:
    """ORDER_TEXT."""

    def test_number_comment_options_and_parts(self) -> None:
        item = replace(
            line("1", "SET-01", "1", "10", "1.90"),
            options=(Option("Gravur", "Für Oma ♥"),),
            components=(Component("2", "MUG-01", "Becher", Decimal("2.0000")),),
        )
        texts = call(order(item, payment=Payment("purchaseorder", "45"), comment="Bitte\nklingeln"))["ORDER_TEXT"]
        assert [(row["ITM_NUMBER"], row["TEXT_ID"], row["TEXT_LINE"]) for row in texts] == [
            ("000000", "0001", "45"),
            ("000000", "0002", "Bitte"),
            ("000000", "0002", "klingeln"),
            ("000010", "0001", "Gravur: Für Oma ♥"),
            ("000010", "0001", "2 x MUG-01 Becher"),
        ]

    def test_long_lines_are_continued_and_nothing_is_lost(self) -> None:
        comment = "Wort " * 60
        texts = call(order(comment=comment))["ORDER_TEXT"]
        assert all(len(row["TEXT_LINE"]) <= 132 for row in texts)
        assert "".join(row["TEXT_LINE"] for row in texts) == comment.rstrip()
        assert [row["FORMAT_COL"] for row in texts] == ["*", "=", "="]

    def test_without_text_ids_there_are_none(self) -> None:
        assert call(order(comment="hello"), text_ids=type(STORE.text_ids)())["ORDER_TEXT"] == []


class TestConditions:
    """ORDER_CONDITIONS_IN."""

    def test_lines_carry_price_before_discount_discount_and_tax(self) -> None:
        parameters = call(order())
        assert conditions(parameters, "000010") == [
            ("PR00", Decimal("30.00")),
            ("RB00", Decimal("-2.52")),
            ("ZTAX", Decimal("5.22")),
        ]
        assert conditions(parameters, "000000") == [("HD00", Decimal("4.20")), ("ZTAX", Decimal("0.80"))]
        price = parameters["ORDER_CONDITIONS_IN"][0]
        assert (price["COND_P_UNT"], price["COND_UNIT"], price["CURRENCY"]) == (3, "ST", "EUR")

    def test_a_discount_finer_than_a_cent_moves_the_price_and_not_the_net(self) -> None:
        item = line("1", "MUG-01", "3", "27.48", "5.22", "2.5210")
        assert conditions(call(order(item)), "000010")[:2] == [("PR00", Decimal("30.00")), ("RB00", Decimal("-2.52"))]

    def test_without_a_discount_condition_the_price_is_the_net(self) -> None:
        chosen = replace(CONDITIONS, discount=None, tax=None)
        assert conditions(call(order(), conditions=chosen), "000010") == [("PR00", Decimal("27.48"))]

    def test_a_negative_discount_stays_in_the_price(self) -> None:
        item = line("1", "MUG-01", "1", "10", "1.90", "-2")
        assert conditions(call(order(item)), "000010")[0] == ("PR00", Decimal("10.00"))

    def test_fixed_amounts_have_no_pricing_unit_and_take_fractions(self) -> None:
        item = line("1", "MUG-01", "0.125", "10", "1.90")
        assert "cannot be a pricing unit" in refused(order(item)).cause
        fixed = Conditions(price=Condition(type="ZPRF"), freight=Condition(type="HD00"))
        row = call(order(item), conditions=fixed)["ORDER_CONDITIONS_IN"][0]
        assert (row["COND_TYPE"], row["COND_VALUE"]) == ("ZPRF", Decimal("10.00"))
        assert "COND_P_UNT" not in row

    def test_shipping_costs_without_a_condition_type_are_refused(self) -> None:
        assert "conditions.freight" in refused(order(), conditions=replace(CONDITIONS, freight=None)).remedy

    def test_a_cent_of_rounding_needs_a_condition_type_that_takes_it(self) -> None:
        totals = Totals(Decimal("50.01"), Decimal("9.50"), Decimal("59.51"), Decimal(0), Decimal(0))
        off = order(totals=totals)
        assert "net 50.00 where the order shows 50.01" in refused(off).cause
        taken = replace(CONDITIONS, round_off=Condition(type="DIFF"), round_off_limit=Decimal("0.01"))
        rows = conditions(call(off, conditions=taken), "000000")
        assert rows[-1] == ("DIFF", Decimal("0.01"))

    def test_currencies_without_decimals(self) -> None:
        item = line("1", "MUG-01", "1", "1000", "100")
        free = Shipping()
        assert conditions(call(order(item, shipping=free, currency="JPY")), "000010")[0] == ("PR00", Decimal(1000))
        cents = line("1", "MUG-01", "1", "10.50", "1")
        assert "smallest amount of JPY" in refused(order(cents, shipping=free, currency="JPY")).cause
        call(order(cents, shipping=free, currency="JPY"), currency_decimals={"JPY": 2})


class TestTotals:
    """Lines, shipping and totals."""

    def test_an_order_without_lines_is_refused(self) -> None:
        empty = replace(order(), items=())
        assert "no lines" in refused(empty).cause

    @pytest.mark.parametrize("part", ["net", "tax", "gross"])
    def test_a_mismatch_is_refused_with_the_numbers(self, part: str) -> None:
        whole = order()
        shown = getattr(whole.totals, part) + Decimal("0.01")
        failure = refused(replace(whole, totals=replace(whole.totals, **{part: shown})))
        assert str(shown) in failure.cause
        assert f"{part} {getattr(whole.totals, part)}" in failure.cause

    def test_a_line_that_does_not_add_up_is_refused(self) -> None:
        item = replace(line("1", "MUG-01", "1", "10", "1.90"), gross=Decimal("11.80"))
        assert "line 1" in refused(order(item)).cause

    @pytest.mark.parametrize("amount", ["NaN", "sNaN", "-Infinity", "1E+999999999", "1E-999999999", "1E13"])
    @pytest.mark.parametrize("place", ["item", "shipping", "totals", "discount"])
    def test_impossible_amounts_are_refused_whatever_else_adds_up(self, amount: str, place: str) -> None:
        value, whole = Decimal(amount), order()
        if place == "item":
            whole = replace(whole, items=(replace(whole.items[0], net=value), *whole.items[1:]))
        elif place == "discount":
            whole = replace(whole, items=(replace(whole.items[0], discount_net=value), *whole.items[1:]))
        elif place == "shipping":
            whole = replace(whole, shipping=replace(whole.shipping, net=value))
        else:
            whole = replace(whole, totals=replace(whole.totals, net=value))
        assert "no number that ECC can hold" in refused(whole).cause

    def test_amounts_finer_than_the_currency_are_refused(self) -> None:
        item = line("1", "MUG-01", "1", "10.005", "1.895")
        assert "smallest amount of EUR is 0.01" in refused(order(item)).cause


def test_stores_differ() -> None:
    other = replace(STORE, sales_org="2000", document_type="ZTA")
    config = EccConfig(connection=CONFIG.connection, default=STORE, stores={"b2b_en": other})
    placed = order(ref=OrderRef(store="b2b_en", order_id="6", increment_id="2000000001"))
    header = create_parameters(placed, "1", "", config)["ORDER_HEADER_IN"]
    assert isinstance(header, dict)
    assert (header["SALES_ORG"], header["DOC_TYPE"]) == ("2000", "ZTA")
    assert isinstance(config.store("default"), Store)
