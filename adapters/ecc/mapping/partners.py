"""Who an order is for: its partner functions and their addresses."""

from typing import NamedTuple

from msgspec.structs import replace

from adapters.ecc.config import Store
from adapters.ecc.mapping.addresses import address_row
from adapters.ecc.mapping.fields import Row, fitted
from schemas.failures import Permanent
from schemas.identifiers import alpha
from schemas.order import Address, Order

BILLING, DELIVERY = "0000000001", "0000000002"
"""ADDR_NO of the two addresses within one call."""


class Partners(NamedTuple):
    """The two tables of a call that say who the partners are."""

    order_partners: list[Row]
    addresses: list[Row]


def partners(order: Order, sold_to: str, contact: str, store: Store, where: str) -> Partners:
    """Return the order's partners: sold-to, ship-to, bill-to and payer, and a contact person if there is one.

    All four functions name the sold-to party; ship-to and bill-to carry the order's own addresses where configured, so
    that a one-time delivery address needs no customer of its own.

    Parameters
    ----------
    sold_to:
        SAP customer number (KUNNR).
    contact:
        Contact person (PARNR), or empty.

    Raises
    ------
    Permanent
        There is no sold-to party, or a value does not fit.
    """
    number = alpha(sold_to)
    if not number:
        raise Permanent(
            f"{where}: it has no SAP customer number.",
            "Register the customer in ECC; only a registered customer's order is written.",
        )
    roles = store.roles
    links = {
        roles.ship_to: (DELIVERY, order.delivery if store.addresses != "none" else None),
        roles.bill_to: (BILLING, order.billing if store.addresses == "both" else None),
    }
    rows: list[Row] = []
    addresses: list[Row] = []
    for role in dict.fromkeys((roles.sold_to, roles.ship_to, roles.bill_to, roles.payer)):
        link, address = links.get(role, ("", None))
        partner = {"PARTN_ROLE": role, "PARTN_NUMB": number}
        if address is not None:
            addresses.append(address_row(_reachable(address, order), link, store, f"{where}, address of {role}"))
            partner["ADDR_LINK"] = link
        rows.append(fitted("BAPIPARNR", partner, f"{where}, partner {role}"))
    if contact:
        partner = {"PARTN_ROLE": roles.contact, "PARTN_NUMB": alpha(contact)}
        rows.append(fitted("BAPIPARNR", partner, f"{where}, partner {roles.contact}"))
    return Partners(rows, addresses)


def _reachable(address: Address, order: Order) -> Address:
    """Return the address with the order's e-mail address where it has none of its own."""
    return address if address.email else replace(address, email=order.buyer.email)
