"""What a simulated shop is made of: its stores, credentials, attributes and limits."""

from msgspec import Struct

from .faults import Faults


class Website(Struct, frozen=True):
    """A website; customers belong to one, and e-mail addresses are unique in it."""

    id: int
    code: str
    name: str
    currency: str = "EUR"
    """Currency that its orders are placed in."""
    rate: str = "1"
    """Units of `currency` per euro, which is the base currency of the shop."""


class Store(Struct, frozen=True):
    """A store view, the ``{store}`` of ``/rest/{store}/V1``."""

    id: int
    code: str
    name: str
    website_id: int
    group_id: int
    group_name: str


class Integration(Struct, frozen=True):
    """An integration's four credentials and what it may do."""

    consumer_key: str
    consumer_secret: str
    access_token: str
    token_secret: str
    resources: tuple[str, ...] | None = None
    """ACL resources such as ``Magento_Sales::create``; None means all."""


class InputLimits(Struct, frozen=True):
    """Magento's optional input limiting (``webapi/validation``), off by default."""

    max_page_size: int | None = None
    default_page_size: int | None = None
    max_array_items: int | None = None


WEBSITES = (
    Website(0, "admin", "Admin"),
    Website(1, "base", "Main Website"),
    Website(2, "b2b", "B2B Website", currency="USD", rate="1.1"),
)
STORES = (
    Store(1, "default", "Default Store View", 1, 1, "Main Website Store"),
    Store(0, "admin", "Admin", 0, 0, "Default"),
    Store(2, "b2b_en", "B2B English", 2, 2, "B2B Store"),
    Store(3, "de", "Deutsch", 1, 1, "Main Website Store"),
)
"""In the order in which the recording ``auth/admin_bearer`` lists them."""
ATTRIBUTES = ("sap_customer_number", "sap_sales_org", "sap_credit_limit", "sap_contact_person")
INTEGRATION = Integration(
    consumer_key="orderbusconsumerkey0000000000001",
    consumer_secret="orderbusconsumersecret0000000001",  # noqa: S106 - opens nothing but the simulator
    access_token="orderbusaccesstoken0000000000001",  # noqa: S106 - opens nothing but the simulator
    token_secret="orderbustokensecret0000000000001",  # noqa: S106 - opens nothing but the simulator
)
"""The integration that every simulated shop has unless configured otherwise; each value has 32 characters."""


class SimulatorConfig(Struct, frozen=True, kw_only=True):
    """How to start a simulated shop.

    The credentials are defaults on purpose: they protect nothing, and examples can print them.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    database: str = ":memory:"
    """Path of the SQLite file; the state survives a restart there."""
    stores: tuple[Store, ...] = STORES
    websites: tuple[Website, ...] = WEBSITES
    admin_user: str = "admin"
    admin_password: str = "admin-Password-1"  # noqa: S105 - opens nothing but the simulator
    integrations: tuple[Integration, ...] = (INTEGRATION,)
    integration_bearer: bool = True
    """``oauth/consumer/enable_integration_as_bearer``; Magento's own default since 2.4.4 is off."""
    customer_attributes: tuple[str, ...] = ATTRIBUTES
    """Codes of the custom customer attributes that exist; any other code is dropped without a word."""
    discount_on_gross: bool = True
    """``tax/calculation/discount_tax``: percentages apply to gross prices (True) or to net prices."""
    limits: InputLimits = InputLimits()
    faults: Faults = Faults()
    registered_customers: int = 0
    """Accounts with a SAP customer number that an empty shop is seeded with."""
    prospects: int = 0
    """Accounts waiting for registration: default customer number, e-mail ``company.contact-email``."""
    default_customer_number: str = "0000099999"
    """The SAP customer number that prospects carry."""
