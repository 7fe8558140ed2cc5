"""Customers and contact persons: the function modules that register them and list them, and what people do by hand."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from adapters.ecc.rfc import AbapApplicationError
from adapters.ecc.simulator import returns, update
from adapters.ecc.simulator.documents import Registration, Row, filled
from adapters.ecc.simulator.locks import ForeignLockError
from adapters.ecc.simulator.state import columns_of, transaction
from adapters.ecc.simulator.system import RfcSession, System

CUSTOMER_LOCK = "EZORDERBUS_CUST"
MAX_PAGE = 1000
REGISTER = "Z_ORDERBUS_CUSTOMER_REGISTER"
_FIELDS = tuple(field.name for field in columns_of("ZORDERBUS_S_CUST"))


def lock_argument(customer: Mapping[str, Any]) -> str:
    """Return the lock that a registration takes: on the company if there is one, else on the customer."""
    return f"{CUSTOMER_LOCK}:{customer['COMPANY_KEY'] or customer['CUSTOMER_KEY']}"


def lock_customer(system: System, session: RfcSession, values: Row) -> None:
    """Lock the customer that a registration is about.

    Raises
    ------
    AbapApplicationError
        ``INVALID_ARGUMENT`` or ``FOREIGN_LOCK``.
    """
    customer = values["IS_CUSTOMER"]
    if not customer["CUSTOMER_KEY"]:
        raise AbapApplicationError("the customer key is empty", "INVALID_ARGUMENT")
    try:
        system.locks.enqueue(lock_argument(customer), session.id, 2)
    except ForeignLockError as error:
        raise AbapApplicationError(f"the customer is locked by {error.holder.owner}", "FOREIGN_LOCK") from error


async def register(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_CUSTOMER_REGISTER, its lock taken: find the customer, or create it and wait for its update."""
    customer = values["IS_CUSTOMER"]
    nothing: Row = {"EV_CREATED": "", "RETURN": []}
    try:
        found = registration_of(system, customer["CUSTOMER_KEY"])
        if found is not None:
            return {**nothing, "ES_CUSTOMER": found}
        if values["IV_FIND_ONLY"]:
            return nothing
        errors = _errors(system, customer)
        if errors:
            return {**nothing, "RETURN": errors}
        row, written = await create(system, session, customer, origin="function")
        if not written:
            return {**nothing, "RETURN": [returns.commit_failed()]}
        return {"ES_CUSTOMER": row, "EV_CREATED": "X", "RETURN": []}
    finally:
        # A commit has handed the lock on, so that this frees it only where nothing was created.
        system.locks.dequeue(lock_argument(customer), session.id)


async def create(system: System, session: RfcSession, customer: Mapping[str, Any], *, origin: str) -> tuple[Row, bool]:
    """Create a contact person, and its SAP customer unless the company has one; commit and wait.

    Parameters
    ----------
    customer:
        ZORDERBUS_S_CUST_IN, checked and locked; with a KUNNR where people chose an SAP customer that exists.
    origin:
        ``function`` or ``people``.

    Returns
    -------
    tuple
        ZORDERBUS_S_CUST, and whether the update wrote it. If the session dies first, the update goes on without it.
    """
    company = _company(system, customer["COMPANY_KEY"])
    row: Row = {name: customer.get(name, "") for name in _FIELDS}
    existing = row["KUNNR"] or (company["kunnr"] if company else "")
    row["KUNNR"] = existing or system.numbers.draw("KUNNR")
    row["PARNR"] = system.numbers.draw("PARNR")
    if company:
        row["CREDIT_AREA"], row["CREDIT_CURRENCY"] = company["credit_area"], company["credit_currency"]
        row["CREDIT_LIMIT"] = Decimal(company["credit_limit"])
    row["REGISTERED_AT"] = row["CHANGED_AT"] = system.now()
    area = f"{customer['SALES_ORG']}/{customer['DISTR_CHAN']}/{customer['DIVISION']}" if customer["SALES_ORG"] else ""
    session.work.append(Registration(row, origin, None if existing else filled(customer), area))
    session.keys.update(key for key in (customer["CUSTOMER_KEY"], customer["COMPANY_KEY"]) if key)
    done = update.commit_work(system, session, function=REGISTER)
    return row, await update.ended(session, done)


def _company(system: System, company_key: str) -> Any:
    if not company_key:
        return None
    return system.database.execute(
        "SELECT * FROM customers WHERE company_key = ? ORDER BY kunnr LIMIT 1", (company_key,)
    ).fetchone()


def _errors(system: System, customer: Row) -> list[Row]:
    config = system.config
    area = f"{customer['SALES_ORG']}/{customer['DISTR_CHAN']}/{customer['DIVISION']}"
    wrong = {
        "NAME1": not customer["NAME1"] and "The customer has no name",
        "COUNTRY": not customer["COUNTRY"] and "The customer has no country",
        "EMAIL": "@" not in customer["EMAIL"] and "The e-mail address is not valid",
        "SALES_ORG": area not in config.sales_areas and f"Sales area {area} is not defined",
        "CURRENCY": customer["CURRENCY"] not in {"", *config.currencies}
        and "The currency is not defined in table TCURC",
        "CREDIT_AREA": customer["CREDIT_AREA"] not in {"", *config.credit_areas}
        and f"Credit control area {customer['CREDIT_AREA']} is not defined",
        "REF_CUSTOMER": customer["REF_CUSTOMER"]
        and not exists(system, customer["REF_CUSTOMER"])
        and f"Reference customer {customer['REF_CUSTOMER']} does not exist",
        "CREDIT_LIMIT": customer["CREDIT_LIMIT"] < 0 and "The credit limit is negative",
    }
    return [returns.error(str(text), parameter="IS_CUSTOMER", field=field) for field, text in wrong.items() if text]


def exists(system: System, kunnr: str) -> bool:
    """Say whether there is an SAP customer of this number."""
    return system.database.execute("SELECT 1 FROM customers WHERE kunnr = ?", (kunnr,)).fetchone() is not None


def registration_of(system: System, customer_key: str) -> Row | None:
    """Return a customer key's registration (ZORDERBUS_S_CUST), if it has one."""
    found = system.database.execute("SELECT * FROM zorderbus_cust WHERE customer_key = ?", (customer_key,)).fetchone()
    return as_registration(found) if found else None


def move(system: System, customer_key: str, kunnr: str) -> Row:
    """Link a customer key and its contact person to another SAP customer, and return the registration."""
    with transaction(system.database):
        system.database.execute(
            "UPDATE contacts SET kunnr = ? WHERE parnr = (SELECT parnr FROM zorderbus_cust WHERE customer_key = ?)",
            (kunnr, customer_key),
        )
        system.database.execute(
            "UPDATE zorderbus_cust SET kunnr = ?, changed_at = ? WHERE customer_key = ?",
            (kunnr, system.now(), customer_key),
        )
    return registration_of(system, customer_key) or {}


def as_registration(record: Any) -> Row:
    """Return a record of ZORDERBUS_CUST as a structure's row."""
    row: Row = dict(zip(_FIELDS, record, strict=True))
    row["CREDIT_LIMIT"] = Decimal(row["CREDIT_LIMIT"] or 0)
    return row


def write(system: System, registration: Registration) -> None:
    """Write a registration in the update task's transaction."""
    row = {**registration.row, "CHANGED_AT": system.now()}
    credit = (row["CREDIT_AREA"], str(row["CREDIT_LIMIT"]), row["CREDIT_CURRENCY"])
    if registration.master is not None:
        master = registration.master
        system.database.execute(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row["KUNNR"],
                master.get("NAME1", ""),
                row["COMPANY_KEY"],
                registration.sales_area,
                registration.origin,
                *credit,
                msgspec.json.encode(master),
            ),
        )
    system.database.execute(
        "INSERT INTO contacts VALUES (?, ?, ?, ?, ?)",
        (row["PARNR"], row["KUNNR"], row["FIRST_NAME"], row["LAST_NAME"], row["EMAIL"]),
    )
    system.database.execute(
        f"INSERT INTO zorderbus_cust VALUES ({', '.join('?' * len(_FIELDS))})",  # noqa: S608 - only question marks
        tuple(str(row[name]) for name in _FIELDS),
    )


async def changed(system: System, session: RfcSession, values: Row) -> Row:
    """Run Z_ORDERBUS_CUSTOMERS_CHANGED."""
    del session
    if not 1 <= values["IV_MAX_ROWS"] <= MAX_PAGE:
        raise AbapApplicationError(f"IV_MAX_ROWS is not between 1 and {MAX_PAGE}", "INVALID_ARGUMENT")
    pending = " AND EXISTS (SELECT 1 FROM zorderbus_pend p WHERE p.customer_key = c.customer_key AND p.cleared = '')"
    # An empty IV_AFTER_KEY precedes every key, which makes IV_SINCE inclusive.
    found = system.database.execute(
        "SELECT * FROM zorderbus_cust c WHERE (changed_at, customer_key) > (?, ?)"  # noqa: S608 - a constant or nothing
        f"{pending if values['IV_ONLY_PENDING'] else ''} ORDER BY changed_at, customer_key LIMIT ?",
        (values["IV_SINCE"], values["IV_AFTER_KEY"], values["IV_MAX_ROWS"] + 1),
    ).fetchall()
    page = [as_registration(record) for record in found[: values["IV_MAX_ROWS"]]]
    return {"EV_MORE": "X" if len(found) > len(page) else "", "EV_NOW": system.now(), "ET_CUSTOMERS": page}
