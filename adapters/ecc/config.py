"""What a configuration says about ECC: how to reach it, and how each store's orders look there.

Structs decode from the ``[ecc]`` table of the configuration file; lengths are those of the fields in ECC that the
values fill, so that a value which is too long is refused at start and not by the first order.
"""

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field

from adapters.ecc.dictionary import STRUCTURES, misfit
from schemas.failures import Permanent

Char1: TypeAlias = Annotated[str, Meta(max_length=1)]
Char2: TypeAlias = Annotated[str, Meta(max_length=2)]
Char3: TypeAlias = Annotated[str, Meta(max_length=3)]
Char4: TypeAlias = Annotated[str, Meta(max_length=4)]
Char5: TypeAlias = Annotated[str, Meta(max_length=5)]
Char10: TypeAlias = Annotated[str, Meta(max_length=10)]
Char18: TypeAlias = Annotated[str, Meta(max_length=18)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0)]


class Simulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="simulator"):
    """How to reach the ECC simulator."""

    url: str
    """E.g. ``"http://127.0.0.1:8090"``."""
    user: str = "ORDERBUS"
    passwd: str = ""
    """Taken from the variable that `passwd_env` names where it is empty."""
    passwd_env: str = "ORDERBUS_ECC_PASSWORD"  # noqa: S105 - the name of a variable
    client: Char3 = "100"
    lang: Char2 = "EN"

    def __repr__(self) -> str:
        return f"Simulator(url={self.url!r}, user={self.user!r}, client={self.client!r}, lang={self.lang!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [(name, getattr(self, name)) for name in ("url", "user", "client", "lang")]


class NetWeaver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="rfc"):
    """How to reach an ECC system through pyrfc; the fields are the SAP NW RFC SDK's logon parameters.

    Either `ashost` and `sysnr` (one application server) or `mshost` and `group` (load balancing) must be given.
    """

    ashost: str = ""
    sysnr: Char2 = ""
    mshost: str = ""
    msserv: str = ""
    r3name: str = ""
    group: str = ""
    saprouter: str = ""
    client: Char3
    user: str = ""
    passwd: str = ""
    """Taken from the variable that `passwd_env` names where it is empty; not used with SNC."""
    passwd_env: str = "ORDERBUS_ECC_PASSWORD"  # noqa: S105 - the name of a variable
    lang: Char2 = "EN"
    """Fix it: which partner functions and units are accepted depends on the logon language."""
    trace: Char1 = ""
    snc_mode: Char1 = ""
    snc_qop: Char1 = ""
    snc_myname: str = ""
    snc_partnername: str = ""
    snc_lib: str = ""

    def __post_init__(self) -> None:
        if bool(self.ashost) == bool(self.mshost):
            raise ValueError("name either ashost (with sysnr) or mshost (with group)")
        if self.ashost and not self.sysnr:
            raise ValueError('ashost needs sysnr, e.g. "00"')
        if not self.user and self.snc_mode != "1":
            raise ValueError('user is missing, and snc_mode is not "1"')

    def __repr__(self) -> str:
        host = self.ashost or self.mshost
        return f"NetWeaver(host={host!r}, client={self.client!r}, user={self.user!r}, lang={self.lang!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "passwd"]


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition type, and how its amount is sent.

    Amounts are always those of a whole line, since a unit price rounded to cents does not give the shop's line amount
    when ECC multiplies it by the quantity.
    """

    type: Annotated[str, Meta(min_length=1, max_length=4)]
    """KSCHL."""
    sent: Literal["fixed", "per_quantity"] = "fixed"
    """``fixed``: as an amount (a condition type of calculation type B). ``per_quantity``: as an amount per the line's
    whole quantity, e.g. 27.00 EUR per 3 PC (calculation type C); the quantity must be a whole number of at most five
    digits then, as KPEIN is."""


class Conditions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which condition types carry an order's amounts."""

    price: Condition
    """The line without tax, before discount."""
    discount: Condition | None = None
    """The line's discount without tax, sent as a negative amount; without it the price is sent after discount."""
    freight: Condition | None = None
    """Shipping without tax, for the whole order; without it an order with shipping costs is refused."""
    tax: Condition | None = None
    """The shop's tax, for information: a statistical condition type. Without it, ECC's own is the only tax."""
    round_off: Condition | None = None
    """Takes what lines and shipping miss to the order's net total, up to `round_off_limit`."""
    round_off_limit: Decimal = Decimal(0)
    """The largest difference that `round_off` may take, in the order's currency; at most 1."""

    def __post_init__(self) -> None:
        if not (self.round_off_limit.is_finite() and 0 <= self.round_off_limit <= 1):
            raise ValueError("round_off_limit is not between 0 and 1")


class Roles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Partner functions; the German codes are the internal ones."""

    sold_to: Char2 = "AG"
    ship_to: Char2 = "WE"
    bill_to: Char2 = "RE"
    payer: Char2 = "RG"
    contact: Char2 = "AP"


class TextIds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Text ids (TDID) of the sales order's texts; an empty one is not written."""

    purchase_order: Char4 = ""
    """Header text with the buyer's own purchase order number."""
    comment: Char4 = ""
    """Header text with the buyer's comment."""
    item: Char4 = ""
    """Item text with the choices made (an engraving) and the parts of a configurable or bundle."""


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the orders and customers of one store look in ECC."""

    sales_org: Annotated[str, Meta(min_length=1, max_length=4)]
    distribution_channel: Annotated[str, Meta(min_length=1, max_length=2)]
    division: Annotated[str, Meta(min_length=1, max_length=2)]
    document_type: Annotated[str, Meta(min_length=1, max_length=4)]
    """AUART in internal form, e.g. ``"TA"`` for a standard order."""
    conditions: Conditions
    roles: Roles = Roles()
    text_ids: TextIds = TextIds()
    materials: dict[str, Char18] = field(default_factory=dict)
    """SKU (with or without what custom options append) to material number."""
    material_rule: Literal["sku", "numeric", "listed"] = "sku"
    """For SKUs that `materials` does not name. ``sku``: the SKU is the material number. ``numeric``: so it is, and one
    of digits is padded with zeros to 18, as RFC runs no conversion exits. ``listed``: they are refused."""
    material_upper_case: bool = True
    """Material numbers exist in capitals alone."""
    unit: Char3 = "ST"
    """Sales unit in internal form."""
    units: dict[str, Char3] = field(default_factory=dict)
    """Sales unit of single SKUs."""
    plant: Char4 = ""
    payment_terms: dict[str, Char4] = field(default_factory=dict)
    """Payment method to terms of payment; others leave the field empty, so that the customer's own apply."""
    shipping_conditions: dict[str, Char2] = field(default_factory=dict)
    """Shipping method to shipping condition; others leave the field empty, so that the customer's own apply."""
    po_method: Char4 = ""
    """Purchase order type (BSARK), e.g. one that marks orders of the shop."""
    addresses: Literal["both", "delivery", "none"] = "both"
    """Which of the order's addresses replace those of ECC's customer master in the sales order."""
    regions: dict[str, Char3] = field(default_factory=dict)
    """Region of the shop, ``"DE-BAY"``, to ECC's, ``"09"``. Any other is left out: ECC refuses unknown codes."""
    same_regions: tuple[Char2, ...] = ("US", "CA", "AU")
    """Countries whose region codes ECC shares with the shop."""
    currency_decimals: dict[Char5, Annotated[int, Meta(ge=0, le=5)]] = field(default_factory=dict)
    """Decimal places of currencies where ECC's table TCURX differs from ISO 4217."""
    language: Char1 = "E"
    """SPRAS of texts, addresses and new customers."""
    time_zone: str = "UTC"
    """Decides on which day an order was placed."""
    shorten_texts: bool = False
    """Cut item descriptions to what SHORT_TEXT takes; otherwise a longer one is an error."""
    reference_customer: Char10 = ""
    """The customer whose settings a new one copies."""
    credit_limit: Decimal = Decimal(0)
    credit_control_area: Char4 = ""
    credit_currency: Char5 = "EUR"

    def __post_init__(self) -> None:
        if misfit(STRUCTURES["ZORDERBUS_S_CUST_IN"]["CREDIT_LIMIT"], self.credit_limit) or self.credit_limit < 0:
            raise ValueError("credit_limit is no amount of at most 13 digits and 2 decimals")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f'time_zone {self.time_zone!r} is unknown; use a name such as "Europe/Berlin"') from None


class EccConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the ECC adapter is told."""

    connection: Simulator | NetWeaver
    default: Store | None = None
    """Stores that `stores` does not name."""
    stores: dict[str, Store] = field(default_factory=dict)
    """By Magento store view code."""
    sessions: Annotated[int, Meta(ge=1, le=200)] = 4
    """RFC sessions each service may have at once, each a dialog process of ECC while it is called."""
    idle_seconds: Seconds = 300
    """A session unused for longer is replaced, since gateways and firewalls drop such connections unseen."""
    call_timeout: Seconds = 60
    """How long a call may take."""
    order_key_prefix: Annotated[str, Meta(max_length=10)] = ""
    """Stands before store and increment id; tells two shops of one ECC apart."""
    key_field: Literal["purch_no_c", "purch_no_s"] = "purch_no_c"
    """Which field holds the order key; the buyer's own purchase order number takes the other."""
    registration: Literal["automatic", "manual"] = "automatic"
    """``automatic``: a held order's customer is created; ``manual``: people do that, and it is only looked up."""
    lease_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] = 3600
    """How long a released order has to arrive before its row may be handed out again."""
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 500
    """Rows asked for at once."""
    poll_seconds: Seconds = 15
    """Between two looks for newly registered customers."""
    overlap_seconds: Annotated[float, Meta(ge=0)] = 300
    """How far back each look reaches, for registrations that were committed late."""
    transient_messages: tuple[tuple[Annotated[str, Meta(max_length=20)], Annotated[str, Meta(max_length=3)]], ...] = (
        ("MC", "601"),
        ("S&", "101"),
    )
    """RETURN messages (ID, NUMBER) that may pass by themselves. MC 601: locked by another transaction. S& 101: the
    update task was terminated."""

    def __post_init__(self) -> None:
        if self.default is None and not self.stores:
            raise ValueError("name at least one store in `stores`, or a `default`")

    @property
    def looked_in(self) -> str:
        """``IV_FIELD`` of the custom function modules: the field that holds the order key, ``C`` or ``S``."""
        return "C" if self.key_field == "purch_no_c" else "S"

    def store(self, code: str) -> Store:
        """Return what is configured for a store.

        Raises
        ------
        Permanent
            Neither the store nor a default is configured.
        """
        found = self.stores.get(code, self.default)
        if found is None:
            raise Permanent(
                f"Store {code!r} is not configured for ECC.", f"Add [ecc.stores.{code}] or [ecc.default], and retry."
            )
        return found
