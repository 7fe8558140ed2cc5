"""Who buys what in the demo: the same buyers and baskets on every run, so that a run can be taken up again."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from adapters.magento.simulator.shopper import Line, Person

Kind = Literal["registered", "prospect", "guest"]
"""``registered``: an account with a SAP customer number. ``prospect``: one with the store's default number.
``guest``: no account at all."""

DEFAULT_CUSTOMER = "0000099999"
"""The number that waiting accounts carry."""
FIRST_REGISTERED = 10_001
"""SAP customer number of the first registered buyer; the simulated ECC knows twenty of them."""
COMPANIES = ("Acme", "Borealis", "Corvus", "Delphi", "Ember", "Fjord", "Garnet", "Helios")
CITIES = (("Berlin", "10115"), ("Hamburg", "20095"), ("München", "80331"), ("Köln", "50667"))
BASKETS: tuple[tuple[Line, ...], ...] = (
    (Line("MUG-01", Decimal(1)),),
    (Line("MUG-01", Decimal(2)), Line("TEE-01", Decimal(1))),
    (Line("TEE-01", Decimal(3)),),
    (Line("VIRT-01", Decimal(1)), Line("MUG-01", Decimal(1))),
)


class Buyer(Struct, frozen=True):
    """Somebody who buys, with the number the shop knows of them."""

    kind: Kind
    person: Person
    sap_customer_number: str = ""


class Purchase(Struct, frozen=True):
    """One order to place."""

    number: int
    """Position in the run, from 0."""
    buyer: Buyer
    lines: tuple[Line, ...]


def buyer_of(kind: Kind, number: int) -> Buyer:
    """Return the buyer of a kind with a number from 0."""
    city, postcode = CITIES[number % len(CITIES)]
    company = COMPANIES[number % len(COMPANIES)]
    tag = f"{kind}{number + 1}"
    address = {
        "registered": f"{tag}@shop.example",
        "prospect": f"{company.lower()}.{tag}@{company.lower()}.example",
        "guest": f"{tag}@mail.example",
    }[kind]
    person = Person(
        email=address,
        first_name=("Ada", "Björn", "Chloé", "Dörte")[number % 4],
        last_name=tag.capitalize(),
        company="" if kind == "guest" else company,
        city=city,
        postcode=postcode,
        street=(f"Hauptstraße {number + 1}",),
    )
    number_known = {"registered": f"{FIRST_REGISTERED + number % 20:010}", "prospect": DEFAULT_CUSTOMER, "guest": ""}
    return Buyer(kind, person, number_known[kind])


def purchases(orders: int) -> Iterator[Purchase]:
    """Yield the orders of a run: of every three, one is from somebody whom ECC does not know yet.

    Buyers come back: about three orders of each, and orders of one new customer arrive together.
    """
    for number in range(orders):
        third, place = divmod(number, 3)
        if place < 2:
            buyer = buyer_of("registered", (third * 2 + place) % max(1, min(20, orders // 5)))
        else:
            kind: Kind = "prospect" if third % 2 == 0 else "guest"
            buyer = buyer_of(kind, (third // 2) // 3)
        yield Purchase(number, buyer, BASKETS[number % len(BASKETS)])
