"""``orderbus contacts``: the directory of contact persons."""

from pathlib import Path

import click

from adapters.contacts.directory import contacts as all_contacts
from orderbus.commands.options import config_option, json_option, print_json, print_table
from orderbus.config import load
from state.database import open_database, require_current


@click.group()
def contacts() -> None:
    """Look at the contact persons that ECC gave the customers.

    Example: orderbus contacts list
    """


@contacts.command("list")
@config_option
@json_option
def list_contacts(config_path: Path | None, as_json: bool) -> None:
    """List every contact person with its customer.

    Example: orderbus contacts list --json
    """
    database = open_database(load(config_path, sections=("database",)).config.database.url)
    require_current(database)
    found = list(all_contacts(database))
    if as_json:
        print_json(found)
        return
    print_table(
        ("CUSTOMER KEY", "SAP CUSTOMER", "CONTACT", "NAME", "E-MAIL", "REGISTERED"),
        (
            (
                contact.customer_key,
                contact.sap_customer_number,
                contact.contact_person or "-",
                f"{contact.first_name} {contact.last_name}".strip() or "-",
                contact.email,
                f"{contact.registered_at:%Y-%m-%d %H:%M:%SZ}",
            )
            for contact in found
        ),
    )
