"""What the service ``contacts`` does: it remembers what ECC decided for a customer."""

import asyncio
from collections.abc import Sequence

from adapters.contacts.directory import Contact, store
from schemas.envelope import Handler, Message
from schemas.messages import Body, CustomerRegistered
from state.database import Database


def store_contacts(database: Database) -> Handler[CustomerRegistered]:
    """Return the handler that records registered customers; it publishes nothing."""

    async def record(message: Message[CustomerRegistered]) -> Sequence[Body]:
        await asyncio.to_thread(store, database, contact_of(message.body))
        return ()

    return record


def contact_of(registered: CustomerRegistered) -> Contact:
    """Return the directory's entry for a registration."""
    return Contact(
        customer_key=registered.customer_key,
        sap_customer_number=registered.registration.sap_customer_number,
        contact_person=registered.registration.contact_person,
        email=registered.email,
        original_email=registered.original_email,
        website=registered.website,
        store=registered.store,
        registered_at=registered.registered_at,
        account_id=registered.account_id,
        first_name=registered.first_name,
        last_name=registered.last_name,
    )
