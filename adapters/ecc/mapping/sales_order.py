"""The call of BAPI_SALESORDER_CREATEFROMDAT2 that writes an order."""

from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from adapters.ecc.config import EccConfig, Store
from adapters.ecc.keys import order_key
from adapters.ecc.mapping.amounts import check_totals, smallest
from adapters.ecc.mapping.conditions import Pricing, condition_flags, header_conditions, item_conditions
from adapters.ecc.mapping.fields import Row, fitted, flags
from adapters.ecc.mapping.items import STEP, item_number, item_row, sales_unit, schedule_row
from adapters.ecc.mapping.partners import partners
from adapters.ecc.mapping.texts import header_texts, item_texts
from adapters.ecc.times import in_zone
from schemas.failures import Permanent
from schemas.order import Order

FUNCTION = "BAPI_SALESORDER_CREATEFROMDAT2"
MOST_LINES = 999_999 // STEP
"""ITM_NUMBER is NUMC6."""

Parameters: TypeAlias = dict[str, Row | list[Row]]
"""Imports and tables by name."""


def create_parameters(order: Order, sold_to: str, contact: str, config: EccConfig) -> Parameters:
    """Return the parameters with which `FUNCTION` creates the order.

    Parameters
    ----------
    sold_to:
        SAP customer number (KUNNR), with or without leading zeros.
    contact:
        Contact person (PARNR), or empty.

    Raises
    ------
    Permanent
        The order's lines do not add up to its totals, or something does not fit a field.
    """
    key = order_key(config, order.ref)
    where = f"Order {key}"
    store = config.store(order.ref.store)
    if len(order.items) > MOST_LINES:
        raise Permanent(
            f"{where}: it has {len(order.items)} lines, ECC numbers at most {MOST_LINES}.",
            "Split the order in the shop.",
        )
    cent = smallest(order.currency, store.currency_decimals)
    pricing = Pricing(store.conditions, order.currency, cent, where)
    tolerance = store.conditions.round_off_limit if store.conditions.round_off is not None else Decimal(0)
    missing = check_totals(order, cent, tolerance, where)
    header = _header(order, key, config, store, where)
    parties = partners(order, sold_to, contact, store, where)
    items: list[Row] = []
    schedules: list[Row] = []
    priced: list[Row] = []
    texts: list[Row] = list(header_texts(order, store, where))
    for position, item in enumerate(order.items):
        number = item_number(position)
        items.append(item_row(item, number, store, where))
        schedules.append(schedule_row(item, number, str(header["REQ_DATE_H"]), where))
        priced.extend(item_conditions(pricing, item, number, sales_unit(item, store)))
        texts.extend(item_texts(item, number, store, where))
    priced.extend(header_conditions(pricing, order.shipping, missing))
    return {
        "ORDER_HEADER_IN": header,
        "ORDER_HEADER_INX": flags(header),
        "ORDER_PARTNERS": parties.order_partners,
        "PARTNERADDRESSES": parties.addresses,
        "ORDER_ITEMS_IN": items,
        "ORDER_ITEMS_INX": [flags(row, ("ITM_NUMBER",)) for row in items],
        "ORDER_SCHEDULES_IN": schedules,
        "ORDER_SCHEDULES_INX": [flags(row, ("ITM_NUMBER", "SCHED_LINE")) for row in schedules],
        "ORDER_CONDITIONS_IN": priced,
        "ORDER_CONDITIONS_INX": [condition_flags(row) for row in priced],
        "ORDER_TEXT": texts,
    }


def _header(order: Order, key: str, config: EccConfig, store: Store, where: str) -> Row:
    placed = in_zone(order.placed_at, ZoneInfo(store.time_zone)).strftime("%Y%m%d")
    buyers = order.payment.purchase_order_number.strip()
    in_c = config.key_field == "purch_no_c"
    values = {
        "DOC_TYPE": store.document_type,
        "SALES_ORG": store.sales_org,
        "DISTR_CHAN": store.distribution_channel,
        "DIVISION": store.division,
        "PURCH_NO_C": key if in_c else buyers,
        "PURCH_NO_S": buyers if in_c else key,
        "PURCH_DATE": placed,
        "PO_METHOD": store.po_method,
        "REQ_DATE_H": placed,
        "PRICE_DATE": placed,
        "PMNTTRMS": store.payment_terms.get(order.payment.method, ""),
        "SHIP_COND": store.shipping_conditions.get(order.shipping.method, ""),
        "CURRENCY": order.currency,
    }
    return fitted("BAPISDHD1", values, where)
