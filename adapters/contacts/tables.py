"""The table of contact persons."""

from sqlalchemy import Column, String, Table

from state.tables import METADATA, UtcTime

CONTACT = Table(
    "contact",
    METADATA,
    Column("customer_key", String(100), primary_key=True),
    Column("sap_customer_number", String(10), nullable=False),
    Column("contact_person", String(10), nullable=False),
    Column("email", String(512), nullable=False),
    Column("original_email", String(512), nullable=False),
    Column("account_id", String(64)),
    Column("website", String(64), nullable=False),
    Column("store", String(64), nullable=False),
    Column("first_name", String(512), nullable=False),
    Column("last_name", String(512), nullable=False),
    Column("registered_at", UtcTime, nullable=False),
)
"""What ECC decided for each customer key; the contact person is empty where ECC has none."""
