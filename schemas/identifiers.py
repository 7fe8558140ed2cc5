"""Identifiers that more than one side of the bus must spell the same way."""

import hashlib
import unicodedata

LONGEST_CUSTOMER_KEY = 100
"""Characters a customer key may have; SAP enqueue arguments end at 150, the client and a type tag included."""


def alpha(number: str) -> str:
    """Return a SAP number in its internal form: digits padded with zeros to ten, anything else unchanged.

    RFC runs no conversion exits, so callers pad themselves (SAP conversion exit ALPHA, CHAR10).

    >>> alpha(" 12345 ")
    '0000012345'
    >>> alpha("CUST-A")
    'CUST-A'
    >>> alpha("")
    ''
    """
    stripped = number.strip()
    return stripped.zfill(10) if stripped.isascii() and stripped.isdigit() else stripped


def normalised_email(email: str) -> str:
    """Return an e-mail address as it is compared: NFC, without surrounding space, in lower case.

    >>> normalised_email(" Jane.Doe@Example.COM ")
    'jane.doe@example.com'
    """
    return unicodedata.normalize("NFC", email.strip()).lower()


def customer_key(website: str, account_id: str | None, email: str) -> str:
    """Return the one key by which rows, locks, registration and release know a customer.

    Parameters
    ----------
    website:
        Magento website id, e.g. ``"1"``.
    account_id:
        Magento customer id, or ``None`` for a guest checkout.
    email:
        The order's e-mail address; part of the key for guests alone, since an address is unique neither over
        websites nor between a guest and an account.

    >>> customer_key("1", "42", "jane@example.com")
    '1:42'
    >>> customer_key("1", None, "Jane@Example.com")
    '1:guest:jane@example.com'
    """
    if account_id is not None:
        return f"{website}:{account_id}"
    address = normalised_email(email)
    key = f"{website}:guest:{address}"
    if len(key) > LONGEST_CUSTOMER_KEY:
        return f"{website}:guest:sha256:{hashlib.sha256(address.encode()).hexdigest()}"
    return key
