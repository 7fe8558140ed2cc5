"""How a simulated ECC is customised: who may log on, which codes it knows, and how fast it is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Kunnr: TypeAlias = Annotated[str, Meta(min_length=10, max_length=10)]


class ConditionType(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition type of the pricing procedure (T685A)."""

    is_a: Literal["price", "discount", "freight", "rounding", "tax"]
    """All but tax make up the net value."""
    calculation: Literal["fixed", "quantity", "percent"]
    """KRECH: ``B`` an amount, ``C`` an amount per COND_P_UNT sales units, ``A`` a percentage of the net so far."""


class CustomerMaster(Struct, frozen=True, forbid_unknown_fields=True):
    """A customer that ECC knows from the start."""

    kunnr: Kunnr
    name: Annotated[str, Meta(max_length=35)]
    contacts: tuple[Annotated[str, Meta(pattern="^[0-9]{10}$")], ...] = ()
    """Numbers of its contact persons (KNVK-PARNR)."""


DEFAULT_CUSTOMERS: tuple[CustomerMaster, ...] = (
    CustomerMaster("0000000001", "Reference customer"),
    CustomerMaster("0000099999", "Default customer of the shop"),
    *(CustomerMaster(f"{number:010}", f"Registered customer {number}") for number in range(10001, 10021)),
)
"""A reference for new customers (1), the number that stands for "none yet" (99999), registered ones (10001 to 20)."""
DEFAULT_MATERIALS: Mapping[str, str] = dict.fromkeys(
    ("MUG-01", "TEE-01", "SHIRT-RED", "SHIRT-BLUE", "SHIRT", "SET-01", "VIRT-01", "OPT-01"), "ST"
)
"""What the simulated shop sells, with the sales unit."""
DEFAULT_CONDITION_TYPES: Mapping[str, ConditionType] = {
    "PR00": ConditionType("price", "quantity"),
    "PB00": ConditionType("price", "quantity"),
    "ZPRF": ConditionType("price", "fixed"),
    "RA00": ConditionType("discount", "percent"),
    "RB00": ConditionType("discount", "fixed"),
    "HB00": ConditionType("discount", "fixed"),
    "HD00": ConditionType("freight", "fixed"),
    "DIFF": ConditionType("rounding", "fixed"),
    "MWST": ConditionType("tax", "percent"),
    "ZTAX": ConditionType("tax", "fixed"),
}


class SimulatorConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the simulator can be told at start."""

    database: str = ":memory:"
    """File of its state (SQLite)."""
    client: Annotated[str, Meta(pattern="^[0-9]{3}$")] = "100"
    user: Annotated[str, Meta(max_length=12)] = "ORDERBUS"
    passwd: str = "simulator"  # noqa: S105 - the simulator guards nothing
    languages: tuple[str, ...] = ("DE", "EN")

    workers: Annotated[int, Meta(ge=1, le=1000)] = 10
    """Dialog processes: calls that run at once, waiting for the update task included."""
    queue_seconds: Seconds = 30.0
    """How long a call waits for a dialog process before it fails."""
    latency: Seconds = 0.0
    """How long each call of a function module takes."""
    latencies: Mapping[str, Seconds] = {}
    """The same for single function modules, by name."""
    update_seconds: Seconds = 0.0
    """How long an update task takes after the commit."""
    error_rate: Share = 0.0
    """Share of calls that lose their connection before, during or after they take effect."""
    seed: int = 0
    """Makes what is random repeatable."""

    sales_areas: tuple[str, ...] = ("1000/10/00",)
    """Sales organisation, distribution channel and division (TVTA)."""
    document_types: Mapping[str, str] = field(
        default_factory=lambda: {"TA": "Standard Order", "OR": "Standard Order", "ZTA": "Web Order"}
    )
    """Name by type (TVAK)."""
    currencies: Mapping[str, int] = field(default_factory=lambda: {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2})
    """Decimals by currency (TCURC, TCURX)."""
    plants: tuple[str, ...] = ("1000",)
    units: tuple[str, ...] = ("ST", "PC", "EA", "KG", "M", "L")
    materials: Mapping[str, str] = field(default_factory=lambda: DEFAULT_MATERIALS)
    """Sales unit by material number."""
    condition_types: Mapping[str, ConditionType] = field(default_factory=lambda: DEFAULT_CONDITION_TYPES)
    credit_areas: Mapping[str, str] = field(default_factory=lambda: {"1000": "EUR"})
    """Currency by credit control area (T014)."""
    customers: tuple[CustomerMaster, ...] = DEFAULT_CUSTOMERS
    credit_limit: Decimal = Decimal(1000)
    """What people in ECC grant a customer whom they register."""
    first_vbeln: Annotated[int, Meta(ge=1)] = 1
    first_kunnr: Annotated[int, Meta(ge=1)] = 100_001
    first_parnr: Annotated[int, Meta(ge=1)] = 1
    number_buffer: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Numbers taken from a range at once; a restart loses the rest of them, as SAP's buffering does."""
