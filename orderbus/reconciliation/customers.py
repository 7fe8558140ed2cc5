"""Whether everybody learnt of a customer whom ECC registered: pure rules, each difference with what heals it.

Two services take a registration, the shop's and the directory's. One message heals what either of them missed.
"""

from collections.abc import Iterator
from datetime import datetime

from adapters.contacts.directory import Contact
from adapters.ecc.changed import KnownCustomer
from orderbus.reconciliation.compare import CustomerRef, Finding, Terms, had_time
from schemas.messages import CustomerRegistered


def compare_customer(
    known: KnownCustomer, contact: Contact | None, shown: str | None, now: datetime, terms: Terms
) -> Iterator[Finding]:
    """Yield what is wrong with a registered customer.

    Parameters
    ----------
    known, now:
        What ECC says, and its clock then.
    contact:
        The directory's entry, read after ECC's.
    shown:
        The SAP customer number that the account carries, read after ECC's; empty where it carries none, ``None`` where
        there is no account.
    """
    ref = CustomerRef(known.key, known.number, known.account_id)
    if known.fact is None:
        yield Finding("unreadable", ref, known.problem)
        return
    if not had_time(known.changed_at, now, terms):
        return
    fact = known.fact
    number = fact.registration.sap_customer_number
    is_own = terms.is_real(fact.store, number)
    differs = shown is not None and is_own and shown != number
    # The message would overwrite a number that the bus did not write: somebody may have moved the account on purpose.
    written = "" if contact is None else contact.sap_customer_number
    was_moved = differs and shown != written and terms.is_real(fact.store, shown or "")
    repair = None if was_moved else fact
    if difference := _difference(contact, fact):
        yield Finding("contact-missing", ref, difference, repair)
    if differs:
        yield Finding("account-differs", ref, f"the account shows {(shown or 'no number')[:64]}", repair)


def _difference(contact: Contact | None, fact: CustomerRegistered) -> str:
    """Say how the directory differs from a registration; one that is later than that is right."""
    if contact is None:
        return "the directory has no entry"
    decided = fact.registration
    is_same = (contact.sap_customer_number, contact.contact_person) == (
        decided.sap_customer_number,
        decided.contact_person,
    )
    if is_same or contact.registered_at > fact.registered_at:
        return ""
    return (
        f"contact person {decided.contact_person or 'none'}, the directory has "
        f"{contact.contact_person or 'none'} at {contact.sap_customer_number}"
    )
