"""BAPI_SALESORDER_CREATEFROMDAT2, the look-up of a sales order by its key, and the sales orders' table."""

from decimal import Decimal
from typing import Any

import msgspec

from adapters.ecc.rfc import AbapApplicationError
from adapters.ecc.simulator import order_checks, returns
from adapters.ecc.simulator.customers import registration_of
from adapters.ecc.simulator.documents import Row, SalesItem, SalesOrder, filled
from adapters.ecc.simulator.locks import ForeignLockError
from adapters.ecc.simulator.pricing import Condition, price
from adapters.ecc.simulator.system import RfcSession, System

ORDER_LOCK = "EZORDERBUS_ORD"


def lock_order(system: System, session: RfcSession, values: Row) -> None:
    """Lock the order key of Z_ORDERBUS_ORDER_OPEN.

    Raises
    ------
    AbapApplicationError
        ``INVALID_KEY`` or ``FOREIGN_LOCK``.
    """
    key, scope = values["IV_ORDER_KEY"], values["IV_SCOPE"] or "2"
    if not key.strip() or scope not in {"1", "2"} or values["IV_FIELD"] not in {"", "C", "S"}:
        raise AbapApplicationError("the order key is empty, or scope or field is unknown", "INVALID_KEY")
    try:
        system.locks.enqueue(f"{ORDER_LOCK}:{key}", session.id, 1 if scope == "1" else 2)
    except ForeignLockError as error:
        raise AbapApplicationError(f"the order is being processed by {error.holder.owner}", "FOREIGN_LOCK") from error


async def open_order(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_ORDER_OPEN, its lock taken: find the sales order with a key, among those that updates wrote.

    And whom ECC registered under the customer key.
    """
    del session
    column = "purch_no_s" if values["IV_FIELD"] == "S" else "purch_no_c"
    found = system.database.execute(
        f"SELECT vbeln, kunnr FROM sales_orders WHERE {column} = ? ORDER BY vbeln LIMIT 1",  # noqa: S608 - one of two names
        (values["IV_ORDER_KEY"],),
    ).fetchone()
    customer = registration_of(system, values["IV_CUSTOMER_KEY"]) or {}
    return {
        "EV_VBELN": found["vbeln"] if found else "",
        "EV_KUNNR": found["kunnr"] if found else "",
        "EV_CUST_KUNNR": customer.get("KUNNR", ""),
        "EV_CUST_PARNR": customer.get("PARNR", ""),
    }


async def create(system: System, session: RfcSession, values: Row) -> Row:
    """Run BAPI_SALESORDER_CREATEFROMDAT2: check, price and keep the order in the session until its commit.

    Nothing looks for another order with the same purchase order number.
    """
    order = order_checks.given_order(values)
    problems = order_checks.problems(system, order, session.language)
    kept = order_checks.without_faulty_items(order, problems) if values["BEHAVE_WHEN_ERROR"] == "P" else order
    errors = [problem.message for problem in problems]
    if problems and (kept is order or not kept.items):
        parameters = dict.fromkeys(str(error["PARAMETER"]) for error in errors)
        summary = [
            returns.message("E", "V4", "248", f"Error in {parameter}", parameter, parameter=parameter)
            for parameter in parameters
        ]
        last = returns.message("E", "V4", "219", "Sales document was not changed")
        return {"SALESDOCUMENT": "", "RETURN": [*errors, *summary, last]}
    rows = [returns.processed("SALES_HEADER_IN")]
    rows += [returns.processed("SALES_ITEM_IN", place) for place, _ in enumerate(kept.items, start=1)]
    rows += errors + order_checks.warnings(system, kept)
    if values["TESTRUN"]:
        return {"SALESDOCUMENT": "", "RETURN": rows}
    document = _document(system, session, kept, system.numbers.draw("VBELN"))
    session.work.append(document)
    rows.append(returns.saved(system.config.document_types[document.doc_type], document.vbeln))
    return {"SALESDOCUMENT": document.vbeln, "RETURN": rows}


def _document(system: System, session: RfcSession, order: order_checks.GivenOrder, vbeln: str) -> SalesOrder:
    currency = order_checks.currency_of(system, order)
    quantities = {item["ITM_NUMBER"]: order_checks.quantity(order, item["ITM_NUMBER"]) for item in order.items}
    conditions: dict[str, list[Condition]] = {}
    for row in order.conditions:
        type_ = system.config.condition_types[row["COND_TYPE"]]
        condition = Condition(type_, row["COND_VALUE"], row["COND_P_UNT"] or Decimal(1))
        conditions.setdefault(row["ITM_NUMBER"], []).append(condition)
    priced = price(
        {number: (quantity, conditions.get(number, [])) for number, quantity in quantities.items()},
        conditions.get(order_checks.HEADER, []),
        system.config.currencies[currency],
    )
    items = tuple(
        SalesItem(
            itm_number=item["ITM_NUMBER"],
            material=item["MATERIAL"],
            plant=item["PLANT"],
            unit=item["SALES_UNIT"] or item["TARGET_QU"] or system.config.materials[item["MATERIAL"]],
            short_text=item["SHORT_TEXT"],
            quantity=quantities[item["ITM_NUMBER"]],
            net_value=priced[item["ITM_NUMBER"]].net_value,
            tax_amount=priced[item["ITM_NUMBER"]].tax_amount,
        )
        for item in order.items
    )
    return SalesOrder(
        vbeln=vbeln,
        doc_type=order.header["DOC_TYPE"],
        sales_area=order_checks.sales_area(order.header),
        kunnr=order_checks.sold_to(order),
        purch_no_c=order.header["PURCH_NO_C"],
        purch_no_s=order.header["PURCH_NO_S"],
        currency=currency,
        net_value=sum((item.net_value for item in items), Decimal(0)),
        tax_amount=sum((item.tax_amount for item in items), Decimal(0)),
        header=filled(order.header),
        items=items,
        partners=tuple(map(filled, order.partners)),
        addresses=tuple(map(filled, order.addresses)),
        conditions=tuple(map(filled, order.conditions)),
        schedules=tuple(map(filled, order.schedules)),
        texts=tuple(map(filled, order.texts)),
        extensions=tuple(map(filled, order.extensions)),
        created_by=session.user,
        created_at=system.now(),
    )


def write(system: System, order: SalesOrder) -> None:
    """Write a sales order in the update task's transaction."""
    system.database.execute(
        "INSERT INTO sales_orders VALUES (?, ?, ?, ?, ?)",
        (order.vbeln, order.kunnr, order.purch_no_c, order.purch_no_s, msgspec.json.encode(order)),
    )


def exists(system: System, vbeln: str) -> bool:
    """Say whether a sales order has been written."""
    return system.database.execute("SELECT 1 FROM sales_orders WHERE vbeln = ?", (vbeln,)).fetchone() is not None


def keys_in(values: Row) -> set[str]:
    """Return the order and customer keys among a call's parameters."""
    scalars = (values.get(name, "") for name in ("IV_ORDER_KEY", "IV_CUSTOMER_KEY"))
    fields: list[Any] = [
        structure.get(name, "")
        for structure in (values.get("ORDER_HEADER_IN"), values.get("IS_PENDING"), values.get("IS_CUSTOMER"))
        if structure
        for name in ("PURCH_NO_C", "PURCH_NO_S", "ORDER_KEY", "CUSTOMER_KEY", "COMPANY_KEY")
    ]
    return {key for key in (*scalars, *fields) if key}
