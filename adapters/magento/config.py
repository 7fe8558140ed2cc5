"""How the shop is reached, which of its orders are taken, and what is written back."""

from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta, Struct

Gate: TypeAlias = Literal["always", "paid", "authorized", "never"]
"""When an order of a payment method is ready.

``always``: at once. ``paid``: nothing is due any more. ``authorized``: the payment is authorised for the whole
amount, or paid. ``never``: not taken at all.
"""
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400)]
PositiveSeconds: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]
MagentoTime: TypeAlias = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})?$")]


class Bearer(Struct, frozen=True, kw_only=True, tag="bearer", tag_field="type", forbid_unknown_fields=True):
    """An access token sent as it is: an integration's (see below) or an administrator's.

    Magento 2.4.4 and newer refuse an integration's token as bearer unless
    ``oauth/consumer/enable_integration_as_bearer`` is set; an administrator's lives an hour.
    """

    token: Name

    def __repr__(self) -> str:
        return "Bearer(token='***')"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("token", "***")]


class OAuth1(Struct, frozen=True, kw_only=True, tag="oauth1", tag_field="type", forbid_unknown_fields=True):
    """The four values that Magento shows when an integration is activated (OAuth 1.0a, HMAC-SHA256)."""

    consumer_key: Name
    consumer_secret: Name
    access_token: Name
    access_token_secret: Name

    def __repr__(self) -> str:
        return "OAuth1(consumer_key='***', consumer_secret='***', access_token='***', access_token_secret='***')"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [(field, "***") for field in self.__struct_fields__]


class StoreView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bus calls a store view, where Magento is not to be asked."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    """Store view code, e.g. ``"default"``."""
    website: Annotated[str, Meta(min_length=1, max_length=20)]
    """Website id, e.g. ``"1"``."""


class MagentoConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[magento]`` table of the configuration."""

    url: Annotated[str, Meta(min_length=8, max_length=500)]
    """Base URL without ``/rest``, e.g. ``"https://shop.example"``; exactly as Magento itself is addressed, since the
    signature covers scheme, host and port."""
    auth: Bearer | OAuth1
    """``{ type = "oauth1", ... }`` or ``{ type = "bearer", token = ... }``."""

    max_concurrent_requests: Annotated[int, Meta(ge=1, le=256)] = 8
    """Requests in flight at once from one process."""
    requests_per_second: Annotated[float, Meta(ge=0, le=100_000)] = 0
    """Requests begun per second by one process; 0 sets no limit."""
    connect_timeout: PositiveSeconds = 5
    """Seconds to wait for a connection."""
    request_timeout: PositiveSeconds = 30
    """Seconds that one request may take in all."""
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    """How often a request that may safely be repeated is repeated before the message is set aside."""
    max_body_bytes: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 32_000_000
    """Longest answer that is read, in bytes after decompression; pages that exceed it are read in smaller ones."""

    page_size: Annotated[int, Meta(ge=1, le=300)] = 100
    """Orders read in one request."""
    poll_interval: PositiveSeconds = 5
    """Seconds between looks for new orders."""
    overlap_seconds: Seconds = 120
    """How far behind the newest order seen the publisher reads again, for orders whose database transaction ended
    late or whose web server's clock is behind."""
    orders_since: MagentoTime = ""
    """Orders created before this time (``YYYY-MM-DD HH:MM:SS``, UTC) are never read by the publisher; empty reads the
    shop's whole history."""

    states: tuple[str, ...] = ("new", "processing", "complete")
    """Magento order states that are taken."""
    statuses: tuple[str, ...] = ()
    """Magento order statuses that are taken, beside the state; empty takes all."""
    payment_gate: Gate = "always"
    """When an order is ready whose payment method `payment_gates` does not name."""
    payment_gates: dict[str, Gate] = {}
    """When an order is ready, by payment method code, e.g. ``{ banktransfer = "paid" }``."""
    stores: dict[str, StoreView] = {}
    """Store views by store id, in place of what Magento says of them."""

    quiet_period: Seconds = 3
    """Seconds since the order's last change before its number is written to it; a write that races with an invoice
    makes Magento lose part of the invoice."""

    sap_customer_number: Name = "sap_customer_number"
    """Customer attribute that holds the SAP customer number."""
    sap_credit_limit: Name = "sap_credit_limit"
    """Customer attribute that takes the credit limit."""
    sap_contact_person: Annotated[str, Meta(max_length=128)] = ""
    """Customer attribute that takes the contact person number; empty writes none."""
    create_accounts: bool = False
    """Create a Magento account for a guest checkout once ECC has registered the customer."""
    guest_matches_account_by_email: bool = False
    """Treat a guest checkout as the account of the same website that has its e-mail address. Whoever knows a
    customer's address then orders on that customer's number and credit."""
    product_skus: bool = False
    """Ask Magento for the product's own SKU where a custom option appended to the item's."""

    def __post_init__(self) -> None:
        """Refuse a URL that cannot be called.

        Raises
        ------
        ValueError
            The URL has no http scheme or host, or carries a query, a fragment or a password.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must be like https://shop.example")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("url must not carry a query, a fragment or credentials")
