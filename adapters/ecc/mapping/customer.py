"""Customers: what ECC needs to register one, and what it decided."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.ecc.config import EccConfig
from adapters.ecc.mapping.addresses import region, spread
from adapters.ecc.mapping.fields import Row, Value, fitted
from adapters.ecc.times import from_ecc
from schemas.failures import Permanent
from schemas.identifiers import alpha
from schemas.messages import CustomerRegistered, RegisterCustomer, Registration

STRUCTURE = "ZORDERBUS_S_CUST_IN"


def registration_row(command: RegisterCustomer, config: EccConfig) -> Row:
    """Return ``IS_CUSTOMER`` of Z_ORDERBUS_CUSTOMER_REGISTER.

    The company's name stands before the person's; a person without a last name takes the company's, which ECC asks for.

    Raises
    ------
    Permanent
        A value does not fit its field; names and addresses are not repeated in the text.
    """
    customer = command.customer
    store = config.store(customer.store)
    address = customer.address
    where = f"Customer of store {customer.store}"
    first = customer.first_name or address.first_name
    last = customer.last_name or address.last_name
    company = customer.company or address.company
    name = company if company.strip() else f"{first} {last}"
    values: dict[str, Value] = {
        "CUSTOMER_KEY": customer.key,
        "COMPANY_KEY": command.company_key,
        "EMAIL": command.email,
        "ORIGINAL_EMAIL": customer.email,
        **spread(STRUCTURE, ("NAME1", "NAME2"), (name,), where),
        "FIRST_NAME": first,
        "LAST_NAME": last or company,
        **spread(STRUCTURE, ("STREET", "STREET2"), address.street, where),
        "CITY": address.city,
        "POSTL_CODE": address.postcode,
        "COUNTRY": address.country,
        "REGION": region(address, store),
        "TELEPHONE": address.telephone,
        "VAT_ID": customer.vat_id or address.vat_id,
        "LANGU": store.language,
        "CURRENCY": customer.currency,
        "SALES_ORG": store.sales_org,
        "DISTR_CHAN": store.distribution_channel,
        "DIVISION": store.division,
        "REF_CUSTOMER": alpha(store.reference_customer),
        "CREDIT_AREA": store.credit_control_area,
        "CREDIT_LIMIT": store.credit_limit,
        "CREDIT_CURRENCY": store.credit_currency,
        "MAGENTO_CUSTOMER_ID": customer.account_id or "",
        "STORE": customer.store,
        "WEBSITE": customer.website,
    }
    return fitted(STRUCTURE, values, where)


def registered(row: Mapping[str, Any]) -> CustomerRegistered:
    """Return what a row of ZORDERBUS_S_CUST says as the fact that goes out.

    Raises
    ------
    Permanent
        The row says something that is no such fact, e.g. a customer number of the wrong length.
    """
    number, person = str(row["KUNNR"]), str(row["PARNR"])
    if len(alpha(number)) != 10:
        raise Permanent(
            f"ECC registered a customer under the number {number[:40]!r}, which is not of ten characters.",
            "Correct its entry in table ZORDERBUS_CUST, and retry.",
        )
    return CustomerRegistered(
        customer_key=str(row["CUSTOMER_KEY"]),
        website=str(row["WEBSITE"]),
        store=str(row["STORE"]),
        registration=Registration(
            sap_customer_number=alpha(number),
            contact_person=alpha(person) if person.strip("0 ") else "",
        ),
        email=str(row["EMAIL"]),
        original_email=str(row["ORIGINAL_EMAIL"]),
        credit_limit=Decimal(row["CREDIT_LIMIT"]),
        credit_currency=str(row["CREDIT_CURRENCY"]),
        registered_at=from_ecc(str(row["REGISTERED_AT"]), "REGISTERED_AT"),
        account_id=str(row["MAGENTO_CUSTOMER_ID"]) or None,
        first_name=str(row["FIRST_NAME"]),
        last_name=str(row["LAST_NAME"]),
    )
