"""What the sales order BAPI refuses: codes that customising does not know, numbers and items that do not exist.

RFC runs no conversion exits, so ``12345`` is not customer ``0000012345``, and ``mug-01`` is not material ``MUG-01``.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from adapters.ecc.simulator import returns
from adapters.ecc.simulator.documents import Row
from adapters.ecc.simulator.system import System

HEADER = "000000"
"""The item number that stands for the document's header."""
ROLES: Mapping[str, str] = {"AG": "sold-to", "WE": "ship-to", "RE": "bill-to", "RG": "payer", "AP": "contact"}
"""Partner functions in internal form, which any logon language takes."""
ENGLISH_ROLES: Mapping[str, str] = {"SP": "sold-to", "SH": "ship-to", "BP": "bill-to", "PY": "payer", "CP": "contact"}
"""The same as a logon in English may spell them."""


class GivenOrder(Struct, frozen=True):
    """The BAPI's inputs once its flag structures have been applied."""

    header: Row
    items: tuple[Row, ...]
    partners: tuple[Row, ...]
    schedules: tuple[Row, ...]
    conditions: tuple[Row, ...]
    texts: tuple[Row, ...]
    addresses: tuple[Row, ...]
    extensions: tuple[Row, ...]
    external_number: str


class Problem(Struct, frozen=True):
    """An error, and the item it is about."""

    message: Row
    item: str = HEADER


def given_order(values: Row) -> GivenOrder:
    """Return the order that a call describes; where a flag structure is given, only flagged fields count."""
    header_flags = values["ORDER_HEADER_INX"]
    return GivenOrder(
        header=_flagged(values["ORDER_HEADER_IN"], header_flags)
        if any(header_flags.values())
        else values["ORDER_HEADER_IN"],
        items=_all_flagged(values["ORDER_ITEMS_IN"], values["ORDER_ITEMS_INX"], ("ITM_NUMBER",)),
        partners=tuple(values["ORDER_PARTNERS"]),
        schedules=_all_flagged(
            values["ORDER_SCHEDULES_IN"], values["ORDER_SCHEDULES_INX"], ("ITM_NUMBER", "SCHED_LINE")
        ),
        conditions=_all_flagged(
            values["ORDER_CONDITIONS_IN"],
            values["ORDER_CONDITIONS_INX"],
            ("ITM_NUMBER", "COND_ST_NO", "COND_COUNT", "COND_TYPE"),
        ),
        texts=tuple(values["ORDER_TEXT"]),
        addresses=tuple(values["PARTNERADDRESSES"]),
        extensions=tuple(values["EXTENSIONIN"]),
        external_number=values["SALESDOCUMENTIN"],
    )


def _all_flagged(rows: Sequence[Row], flags: Sequence[Row], keys: tuple[str, ...]) -> tuple[Row, ...]:
    if not flags:
        return tuple(rows)
    by_key = {tuple(row[key] for key in keys): row for row in flags}
    return tuple(_flagged(row, by_key.get(tuple(row[key] for key in keys), {}), keys) for row in rows)


def _flagged(row: Row, flags: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Row:
    initial: dict[type, Any] = {str: "", Decimal: Decimal(0), int: 0}
    return {name: value if name in keys or flags.get(name) else initial[type(value)] for name, value in row.items()}


def sales_area(header: Row) -> str:
    """Return the header's sales area as customising spells it, e.g. ``1000/10/00``."""
    return f"{header['SALES_ORG']}/{header['DISTR_CHAN']}/{header['DIVISION']}"


def currency_of(system: System, order: GivenOrder) -> str:
    """Return the document's currency: the header's, or else the first that customising names."""
    return order.header["CURRENCY"] or next(iter(system.config.currencies))


def sold_to(order: GivenOrder) -> str:
    """Return the customer number of the order's sold-to party, or an empty string."""
    return next((row["PARTN_NUMB"] for row in order.partners if _role(row, "EN") == "sold-to"), "")


def quantity(order: GivenOrder, item: str) -> Decimal:
    """Return the sum of an item's schedule lines; TARGET_QTY plays no part in a standard order."""
    return sum((row["REQ_QTY"] for row in order.schedules if row["ITM_NUMBER"] == item), Decimal(0))


def _role(row: Row, language: str) -> str | None:
    return ROLES.get(row["PARTN_ROLE"]) or (ENGLISH_ROLES.get(row["PARTN_ROLE"]) if language == "EN" else None)


def problems(system: System, order: GivenOrder, language: str) -> list[Problem]:
    """Return everything that keeps the order from being saved."""
    return [
        *_header_problems(system, order),
        *_partner_problems(system, order, language),
        *_item_problems(system, order),
        *_schedule_problems(order),
        *_condition_problems(system, order),
        *_text_problems(order),
    ]


def without_faulty_items(order: GivenOrder, found: Sequence[Problem]) -> GivenOrder:
    """Return the order without items that have problems; the order itself where the header or a partner has one."""
    faulty = {problem.item for problem in found}
    if HEADER in faulty or not faulty:
        return order

    def sound(rows: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(row for row in rows if row["ITM_NUMBER"] not in faulty)

    return replace(
        order,
        items=sound(order.items),
        partners=sound(order.partners),
        schedules=sound(order.schedules),
        conditions=sound(order.conditions),
        texts=sound(order.texts),
    )


def warnings(system: System, order: GivenOrder) -> list[Row]:
    """Return what is worth a warning: items without a quantity or without a price."""
    priced = {
        row["ITM_NUMBER"] for row in order.conditions if system.config.condition_types[row["COND_TYPE"]].is_a == "price"
    }
    rows = []
    for place, item in enumerate(order.items, start=1):
        number = item["ITM_NUMBER"]
        if not quantity(order, number):
            rows.append(_warning(f"Item {number} has no schedule line with a quantity", place))
        if number not in priced:
            rows.append(_warning(f"Pricing of item {number}: the mandatory price condition is missing", place))
    return rows


def _warning(text: str, row: int) -> Row:
    return returns.message("W", "V1", "798", text, parameter="SALES_ITEM_IN", row=row)


def _header_problems(system: System, order: GivenOrder) -> Iterator[Problem]:
    def problem(text: str, field: str) -> Problem:
        return Problem(returns.error(text, order.header[field], parameter="SALES_HEADER_IN", field=field))

    config, header = system.config, order.header
    if header["DOC_TYPE"] not in config.document_types:
        yield problem(f"Sales document type {header['DOC_TYPE']!r} is not defined", "DOC_TYPE")
    if sales_area(header) not in config.sales_areas:
        yield problem(f"Sales area {sales_area(header)} is not defined", "SALES_ORG")
    if currency_of(system, order) not in config.currencies:
        yield problem(f"Currency {header['CURRENCY']!r} is not defined in table TCURC", "CURRENCY")
    if order.external_number:
        text = f"Number {order.external_number} is not in the interval for external numbers"
        yield Problem(returns.error(text, parameter="SALES_HEADER_IN"))


def _partner_problems(system: System, order: GivenOrder, language: str) -> Iterator[Problem]:
    seen = set()
    customer = sold_to(order)
    addresses = {row["ADDR_NO"] for row in order.addresses}
    items = {HEADER, *(item["ITM_NUMBER"] for item in order.items)}
    for place, row in enumerate(order.partners, start=1):
        text, role = "", _role(row, language)
        if role is None:
            text = f"Partner function {row['PARTN_ROLE']!r} is not defined"
        elif (role, row["ITM_NUMBER"]) in seen:
            text = f"Partner function {row['PARTN_ROLE']} occurs twice"
        elif row["ITM_NUMBER"] not in items:
            text = f"Item {row['ITM_NUMBER']} does not exist"
        elif row["ADDR_LINK"] and row["ADDR_LINK"] not in addresses:
            text = f"Address {row['ADDR_LINK']!r} is not in PARTNERADDRESSES"
        elif role == "contact":
            text = _contact_problem(system, row["PARTN_NUMB"], customer)
        else:
            text = _customer_problem(system, row["PARTN_NUMB"], sales_area(order.header))
        seen.add((role, row["ITM_NUMBER"]))
        if text:
            yield Problem(
                returns.error(text, row["PARTN_ROLE"], row["PARTN_NUMB"], parameter="SALES_PARTNERS", row=place),
                row["ITM_NUMBER"],
            )
    if ("sold-to", HEADER) not in seen:
        text = "Please enter sold-to party or ship-to party"
        yield Problem(returns.message("E", "V1", "331", text, parameter="SALES_PARTNERS"))


def _customer_problem(system: System, kunnr: str, area: str) -> str:
    found = system.database.execute("SELECT sales_area FROM customers WHERE kunnr = ?", (kunnr,)).fetchone()
    if found is None:
        return f"Customer {kunnr} does not exist"
    return "" if found["sales_area"] in {"", area} else f"Customer {kunnr} is not maintained for sales area {area}"


def _contact_problem(system: System, parnr: str, kunnr: str) -> str:
    found = system.database.execute("SELECT kunnr FROM contacts WHERE parnr = ?", (parnr,)).fetchone()
    return "" if found and found["kunnr"] == kunnr else f"Contact person {parnr} does not exist for customer {kunnr}"


def _item_problems(system: System, order: GivenOrder) -> Iterator[Problem]:
    if not order.items:
        yield Problem(returns.error("The document has no items", parameter="SALES_ITEM_IN"))
    config = system.config
    seen = {HEADER}
    for place, item in enumerate(order.items, start=1):
        text, field = "", ""
        if item["ITM_NUMBER"] in seen:
            text, field = f"Item number {item['ITM_NUMBER']} is initial or occurs twice", "ITM_NUMBER"
        elif item["MATERIAL"] not in config.materials:
            text, field = f"Material {item['MATERIAL']} is not defined in sales area", "MATERIAL"
        elif item["PLANT"] and item["PLANT"] not in config.plants:
            text, field = f"Plant {item['PLANT']} is not defined", "PLANT"
        else:
            unknown = next((f for f in ("SALES_UNIT", "TARGET_QU") if item[f] and item[f] not in config.units), None)
            if unknown:
                text, field = f"Unit {item[unknown]} is not defined", unknown
        seen.add(item["ITM_NUMBER"])
        if text:
            message = returns.error(text, item["ITM_NUMBER"], parameter="SALES_ITEM_IN", row=place, field=field)
            yield Problem(message, item["ITM_NUMBER"])


def _schedule_problems(order: GivenOrder) -> Iterator[Problem]:
    items = {item["ITM_NUMBER"] for item in order.items}
    for place, row in enumerate(order.schedules, start=1):
        if row["ITM_NUMBER"] not in items:
            text = f"Schedule line for item {row['ITM_NUMBER']}, which does not exist"
        elif row["REQ_QTY"] < 0:
            text = f"Quantity of item {row['ITM_NUMBER']} is negative"
        else:
            continue
        yield Problem(returns.error(text, parameter="SALES_SCHEDULES_IN", row=place), row["ITM_NUMBER"])


def _condition_problems(system: System, order: GivenOrder) -> Iterator[Problem]:
    items = {HEADER, *(item["ITM_NUMBER"] for item in order.items)}
    currency = currency_of(system, order)
    for place, row in enumerate(order.conditions, start=1):
        type_ = system.config.condition_types.get(row["COND_TYPE"])
        if type_ is None:
            text = f"Condition type {row['COND_TYPE']} is not in the pricing procedure"
        elif row["ITM_NUMBER"] not in items:
            text = f"Condition for item {row['ITM_NUMBER']}, which does not exist"
        elif type_.calculation != "percent" and row["CURRENCY"] not in {"", currency}:
            text = f"No exchange rate from {row['CURRENCY']} to {currency}"
        elif row["COND_UNIT"] and row["COND_UNIT"] not in system.config.units:
            text = f"Unit {row['COND_UNIT']} is not defined"
        elif row["COND_P_UNT"] < 0 or abs(row["COND_VALUE"]) >= 10**9:
            text = f"Amount of condition {row['COND_TYPE']} does not fit KBETR (CURR 11.2)"
        else:
            continue
        message = returns.error(text, row["COND_TYPE"], parameter="SALES_CONDITIONS_IN", row=place)
        yield Problem(message, row["ITM_NUMBER"])


def _text_problems(order: GivenOrder) -> Iterator[Problem]:
    items = {HEADER, *(item["ITM_NUMBER"] for item in order.items)}
    for place, row in enumerate(order.texts, start=1):
        if not row["TEXT_ID"] or row["ITM_NUMBER"] not in items:
            text = "Text without text ID, or for an item that does not exist"
            yield Problem(returns.error(text, parameter="SALES_TEXT", row=place), row["ITM_NUMBER"])
