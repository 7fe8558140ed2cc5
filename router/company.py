"""What an address of the form ``company.contact@domain`` says of a customer.

Accounts that wait for registration carry such an address, e.g. ``acme.jane.doe@acme.example``.
"""

import unicodedata

from msgspec import Struct

from router.policy import RoutingPolicy
from schemas.messages import Customer


class PrefixedEmail(Struct, frozen=True):
    """The parts of ``company.contact@domain``."""

    company: str
    contact: str
    domain: str


def plain(name: str) -> str:
    """Return a name as companies are compared: letters and digits alone, without accents, in lower case.

    >>> plain("Müller & Co.")
    'mullerco'
    """
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(char for char in decomposed if char.isalnum()).casefold()


def prefixed(email: str) -> PrefixedEmail | None:
    """Return the parts of an address, or ``None`` where its local part has no prefix.

    >>> prefixed("acme.jane.doe@acme.example")
    PrefixedEmail(company='acme', contact='jane.doe', domain='acme.example')
    >>> prefixed("jane@acme.example") is None
    True
    """
    local, at, domain = email.strip().rpartition("@")
    company, dot, contact = local.partition(".")
    if not (at and dot and company and contact and domain):
        return None
    return PrefixedEmail(company, contact, domain)


def new_email(policy: RoutingPolicy, customer: Customer) -> str:
    """Return the customer's address in its new format.

    It changes only for an account that carried the store's default number, and only where the prefix equals the
    account's company; an address in its new format therefore never changes again.
    """
    parts = prefixed(customer.email)
    if parts is None or customer.account_id is None or not customer.carried_default:
        return customer.email
    if plain(parts.company) != plain(customer.company):
        return customer.email
    return policy.email_format.format(
        company=parts.company, contact=parts.contact, domain=parts.domain, email=customer.email
    )


def company_key(policy: RoutingPolicy, customer: Customer) -> str:
    """Return the key of the company whose accounts share one SAP customer, or an empty string.

    Guests have none: anybody can type any address at a checkout. Nor has an account that names another company than its
    address does. One that names none is believed: whoever lets accounts carry the default number decides who they are.
    """
    if policy.customer_is != "company" or customer.account_id is None or not customer.carried_default:
        return ""
    parts = prefixed(customer.email)
    if parts is None or plain(customer.company) not in ("", plain(parts.company)):
        return ""
    return f"{customer.website}:company:{plain(parts.company)}"
