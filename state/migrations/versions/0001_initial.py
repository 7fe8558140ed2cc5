"""Leases, watermarks, contact persons, and what the Magento adapter published and skipped."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "lease",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False, comment="seconds since the epoch"),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "watermark",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("moment", sa.String(64), nullable=False),
        sa.Column("identifier", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_watermark"),
    )
    op.create_table(
        "contact",
        sa.Column("customer_key", sa.String(100), nullable=False),
        sa.Column("sap_customer_number", sa.String(10), nullable=False),
        sa.Column("contact_person", sa.String(10), nullable=False),
        sa.Column("email", sa.String(512), nullable=False),
        sa.Column("original_email", sa.String(512), nullable=False),
        sa.Column("account_id", sa.String(64)),
        sa.Column("website", sa.String(64), nullable=False),
        sa.Column("store", sa.String(64), nullable=False),
        sa.Column("first_name", sa.String(512), nullable=False),
        sa.Column("last_name", sa.String(512), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_key", name="pk_contact"),
    )
    op.create_table(
        "magento_published",
        sa.Column("order_id", sa.String(20), nullable=False, comment="Magento entity_id"),
        sa.Column("publication", sa.String(64), nullable=False, comment="id of the message that placed it"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_magento_published"),
    )
    op.create_table(
        "magento_skipped",
        sa.Column("order_id", sa.String(20), nullable=False, comment="Magento entity_id"),
        sa.Column("increment_id", sa.String(64), nullable=False),
        sa.Column("store", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False, comment="one of adapters.magento.gates.Reason"),
        sa.Column("detail", sa.String(1000), nullable=False),
        sa.Column("updated_at", sa.String(64), nullable=False, comment="Magento's updated_at when it was skipped, UTC"),
        sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_magento_skipped"),
    )
