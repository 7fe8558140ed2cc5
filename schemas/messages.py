"""The canonical messages: facts (events, from adapters) and decisions (commands, from the router alone)."""

from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from schemas.order import Address, Identifier, Line, Moment, Order, OrderRef


class Registration(Struct, frozen=True, omit_defaults=True):
    """The partner numbers that ECC gave a customer."""

    sap_customer_number: Identifier
    """KUNNR in internal form, ten characters."""
    contact_person: Identifier = ""
    """KNVK-PARNR, ten digits; empty when ECC has none."""


class Customer(Struct, frozen=True, omit_defaults=True):
    """What is needed to register a customer in ECC."""

    key: Line
    """The customer key, see `schemas.identifiers.customer_key`."""
    store: Identifier
    website: Identifier
    email: Line
    """As the shop holds it, before any change of format."""
    currency: Identifier
    address: Address
    account_id: Identifier | None = None
    first_name: Line = ""
    last_name: Line = ""
    company: Line = ""
    vat_id: Line = ""
    carried_default: bool = False
    """The account carried its store's default SAP customer number when the order was routed."""


class OrderPlaced(Struct, frozen=True, omit_defaults=True):
    """An order is ready to be written to the ERP; with `release`, a held one is placed again."""

    order: Order
    release: Registration | None = None
    """The numbers with which a held order was released; they decide over what the shop still says."""


class OrderHeld(Struct, frozen=True, omit_defaults=True):
    """An order waits in ECC's pending table until its customer is registered."""

    ref: OrderRef
    customer: Customer


class CustomerRegistered(Struct, frozen=True, omit_defaults=True):
    """ECC knows the customer: number, e-mail, credit limit and contact person are decided."""

    customer_key: Line
    website: Identifier
    store: Identifier
    registration: Registration
    email: Line
    """The address in its new format."""
    original_email: Line
    credit_limit: Decimal
    credit_currency: Identifier
    registered_at: Moment
    account_id: Identifier | None = None
    first_name: Line = ""
    last_name: Line = ""


class CustomerUpdated(Struct, frozen=True, omit_defaults=True):
    """The shop knows what ECC decided, as far as it can be written; the customer's orders may be released."""

    customer_key: Line
    registration: Registration
    account_id: Identifier | None = None
    reason: Line = ""
    """Empty when all was written; otherwise why something was not, e.g. the e-mail address is taken."""


class OrderReleased(Struct, frozen=True, omit_defaults=True):
    """A pending row was handed out: its order may now be placed with these numbers."""

    ref: OrderRef
    customer_key: Line
    registration: Registration


class OrderWithdrawn(Struct, frozen=True, omit_defaults=True):
    """A held order will never be written: it was cancelled or deleted while it waited."""

    ref: OrderRef
    reason: Literal["cancelled", "deleted"]


class OrderSynced(Struct, frozen=True, omit_defaults=True):
    """ECC holds the order as a sales order."""

    ref: OrderRef
    sales_order: Identifier
    """VBELN in internal form, ten characters."""
    sap_customer_number: Identifier
    contact_person: Identifier = ""
    existed: bool = False
    """ECC had it already: an earlier delivery of the same order wrote it."""


class OrderCleared(Struct, frozen=True, omit_defaults=True):
    """The order's pending row carries the flag ``X``, or it never had a row."""

    ref: OrderRef
    had_row: bool
    sales_order: Identifier = ""
    reason: Line = ""
    """Why the row was closed without a sales order."""


class OrderAcknowledged(Struct, frozen=True, omit_defaults=True):
    """The shop's order carries the SAP order number, read back and found equal."""

    ref: OrderRef
    sales_order: Identifier
    lost_update: Line = ""
    """What another write of the same moment lost, with both values; empty when nothing was."""


class AddSalesOrder(Struct, frozen=True, omit_defaults=True):
    """Write the order to ECC for this sold-to party."""

    order: Order
    sap_customer_number: Identifier
    contact_person: Identifier = ""


class HoldOrder(Struct, frozen=True, omit_defaults=True):
    """Record the order in ECC's pending table."""

    ref: OrderRef
    customer: Customer
    placed_at: Moment


class RegisterCustomer(Struct, frozen=True, omit_defaults=True):
    """Find the customer in ECC, or create it where configuration says so."""

    customer: Customer
    email: Line
    """The address in its new format."""
    company_key: Line = ""
    """Key of the company whose accounts share one SAP customer; empty where a customer is a person."""


class ReleaseOrders(Struct, frozen=True, omit_defaults=True):
    """Hand out the customer's uncleared pending rows."""

    customer_key: Line
    registration: Registration


class FetchOrder(Struct, frozen=True, omit_defaults=True):
    """Read the order again from the shop and place it with these numbers."""

    ref: OrderRef
    registration: Registration


Event: TypeAlias = (
    OrderPlaced
    | OrderHeld
    | CustomerRegistered
    | CustomerUpdated
    | OrderReleased
    | OrderWithdrawn
    | OrderSynced
    | OrderCleared
    | OrderAcknowledged
)
Command: TypeAlias = AddSalesOrder | HoldOrder | RegisterCustomer | ReleaseOrders | FetchOrder
Body: TypeAlias = Event | Command
