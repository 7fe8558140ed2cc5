"""Rows of ECC's structures: nothing leaves here that a field cannot hold."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from adapters.ecc.dictionary import STRUCTURES, Field, misfit
from schemas.failures import Permanent

Value: TypeAlias = str | int | Decimal
Row: TypeAlias = dict[str, Value]
"""One structure, or one row of a table; fields that are not there are initial."""

PERSONAL = re.compile(
    r"NAME|STREET|STR_SUPPL|LOCATION|CITY|POSTL|TEL|E_?MAIL|VAT_ID|TEXT_LINE|CUSTOMER_KEY|COMPANY_KEY"
)
"""Fields whose values may name a person and so never stand in an error text."""

ANYWHERE = (
    "Correct the store's configuration and retry; or correct it in the shop, then place the order anew with "
    "`orderbus reconcile --repair`."
)
REMEDIES: Mapping[str, str] = {
    "SHORT_TEXT": "Set `shorten_texts = true` for the store, and retry.",
    "MATERIAL": "Name the SKU's material number under `materials` of the store, and retry.",
    "PARTN_NUMB": "Correct the SAP customer number in the shop, then place it anew with `orderbus reconcile --repair`.",
    "KUNNR": "Correct the SAP customer number in the shop, then place it anew with `orderbus reconcile --repair`.",
}
"""What helps where a field's value comes from one known place."""


def fitted(structure: str, values: Mapping[str, Value], where: str) -> Row:
    """Return the values that are not empty as a row, once every one is known to fit.

    Parameters
    ----------
    structure:
        Name in the dictionary, e.g. ``"BAPISDHD1"``.
    values:
        By field name; a name that the structure does not have is a mistake of the caller.
    where:
        What is being mapped, for the error text: ``"Order default-000000011, item 000010"``.

    Raises
    ------
    Permanent
        A value does not fit; names field, limit and remedy, and the value unless it may name a person.
    """
    fields = STRUCTURES[structure]
    row = {name: value for name, value in values.items() if value != ""}
    for name, value in row.items():
        check(fields[name], value, where, structure)
    return row


def check(field: Field, value: Value, where: str, structure: str = "") -> None:
    """Check that one value fits one field, see `fitted`."""
    reason = misfit(field, value)
    if not reason:
        return
    of = f" of {structure}" if structure else ""
    shown = "" if PERSONAL.search(field.name) else f" {str(value)[:80]!r}"
    raise Permanent(
        f"{where}: the value{shown} for {field.name}{of} {reason}.",
        REMEDIES.get(
            field.name,
            ANYWHERE,
        ),
    )


def flags(row: Mapping[str, Value], keys: tuple[str, ...] = ()) -> Row:
    """Return the X structure of a row that is inserted: its keys, and an ``X`` for every other field it fills."""
    marks: Row = {name: "X" for name in row if name not in keys}
    return {name: row[name] for name in keys if name in row} | {"UPDATEFLAG": "I"} | marks
