"""What a unit of work holds until its update task writes it: sales orders and registrations of customers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import Struct

Row: TypeAlias = dict[str, Any]
"""A structure's row, fields by name."""


class SalesItem(Struct, frozen=True):
    """One item of a sales order (VBAP), priced."""

    itm_number: str
    material: str
    plant: str
    unit: str
    short_text: str
    quantity: Decimal
    """The sum of its schedule lines."""
    net_value: Decimal
    tax_amount: Decimal


class SalesOrder(Struct, frozen=True, tag="sales_order"):
    """A sales order; rows hold only fields that are filled."""

    vbeln: str
    doc_type: str
    sales_area: str
    kunnr: str
    """Sold-to party."""
    purch_no_c: str
    purch_no_s: str
    currency: str
    net_value: Decimal
    tax_amount: Decimal
    header: Row
    items: tuple[SalesItem, ...]
    partners: tuple[Row, ...]
    addresses: tuple[Row, ...]
    conditions: tuple[Row, ...]
    schedules: tuple[Row, ...]
    texts: tuple[Row, ...]
    extensions: tuple[Row, ...]
    created_by: str
    created_at: str


class Registration(Struct, frozen=True, tag="registration"):
    """A customer key's SAP customer and contact person."""

    row: Row
    """ZORDERBUS_S_CUST; its times are set when it is written."""
    origin: str
    """``function``: the function module registered it; ``people``: people did."""
    master: Row | None
    """Master data of a new customer; ``None`` where the contact person joins one that exists."""
    sales_area: str


Work: TypeAlias = SalesOrder | Registration
"""What an update task can write."""


class UpdateRequest(Struct, frozen=True):
    """What COMMIT WORK leaves to an update task; kept in the database until that has ended."""

    id: str
    work: tuple[Work, ...]
    locks: tuple[str, ...]
    """Arguments of the locks it inherited."""
    fails: bool = False
    """A fault was armed: the update will be terminated."""


def filled(row: Mapping[str, Any]) -> Row:
    """Return a row's fields that hold something; zeros of a NUMC are kept."""
    return {name: value for name, value in row.items() if value not in {"", 0}}
