"""Tables of the order publisher; nobody else reads them."""

from sqlalchemy import Column, String, Table

from state.tables import METADATA, UtcTime

PUBLISHED = Table(
    "magento_published",
    METADATA,
    Column("order_id", String(20), primary_key=True, comment="Magento entity_id"),
    Column("publication", String(64), nullable=False, comment="id of the message that placed it"),
    Column("published_at", UtcTime, nullable=False),
)
"""Orders whose placement the broker has confirmed; a write-back that bumps ``updated_at`` publishes none again."""

SKIPPED = Table(
    "magento_skipped",
    METADATA,
    Column("order_id", String(20), primary_key=True, comment="Magento entity_id"),
    Column("increment_id", String(64), nullable=False),
    Column("store", String(64), nullable=False),
    Column("reason", String(32), nullable=False, comment="one of adapters.magento.gates.Reason"),
    Column("detail", String(1000), nullable=False),
    Column("updated_at", String(64), nullable=False, comment="Magento's updated_at when it was skipped, UTC"),
    Column("skipped_at", UtcTime, nullable=False),
)
"""Orders that were read and not published, with the latest reason; a row goes once its order is published."""

metadata = METADATA
"""Where both tables are registered."""
