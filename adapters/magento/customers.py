"""What ECC decided about a customer, written to the customer's account in the shop and verified there."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.magento.config import MagentoConfig
from adapters.magento.errors import MagentoError
from adapters.magento.mapping import attribute
from adapters.magento.rest_types import CustomerJson, text
from adapters.magento.shop import Shop
from schemas.envelope import Handler, Message
from schemas.failures import Permanent, Transient
from schemas.identifiers import alpha, normalised_email
from schemas.messages import Body, CustomerRegistered, CustomerUpdated

EMAIL_TAKEN = "the e-mail address belongs to another account of the website, the account keeps its old one"
ACCOUNT_GONE = "the account no longer exists"
NO_ACCOUNT = "the customer ordered as a guest and has no account"
ADDRESS_HAS_ACCOUNT = "an account that this bus did not create has the guest's e-mail address"
MOST_DIGITS = 18
"""Of an account id."""


def update_customers(shop: Shop) -> Handler[CustomerRegistered]:
    """Return the handler that updates a customer's account, and publishes that its orders may be released.

    Number, e-mail address and credit limit are written where they differ, and read back: Magento drops an unknown
    attribute with a 200. Where part of it cannot be written, because the address is taken or the account gone, the
    step passes with a reason, for the orders must not wait for that. Addresses are never sent.
    """

    async def update(message: Message[CustomerRegistered]) -> Sequence[Body]:
        decided = message.body
        if decided.account_id is None:
            account_id, reason = await _update_guest(shop, decided)
        else:
            account_id = decided.account_id
            account = await shop.customer(account_id)
            reason = ACCOUNT_GONE if account is None else await _update_account(shop, account, decided)
        return [CustomerUpdated(decided.customer_key, decided.registration, account_id, reason)]

    return update


async def numbers_of(shop: Shop, account_ids: Iterable[str]) -> dict[str, str]:
    """Return the SAP customer numbers that accounts carry, empty where they carry none, by account id.

    What is no account id, does not exist or cannot be read is missing. People type these ids in ECC.
    """
    digits = (one for one in account_ids if len(one) <= MOST_DIGITS and one.isascii() and one.isdigit())
    wanted = {one: str(int(one)) for one in digits if int(one)}
    accounts = await shop.customers(wanted.values())
    return {
        one: alpha(attribute(account, shop.config.sap_customer_number))
        for one, account_id in wanted.items()
        if isinstance(account := accounts.get(account_id), CustomerJson)
    }


async def _update_account(shop: Shop, account: CustomerJson, decided: CustomerRegistered) -> str:
    """Write what differs; return why something was not written, or nothing."""
    email, reason = decided.email, ""
    changed_address = normalised_email(account.email) != normalised_email(email)
    if changed_address and await _taken(shop, account, email):
        email, reason, changed_address = account.email, EMAIL_TAKEN, False
    attributes = _missing(account, _attributes(shop.config, decided))
    if not changed_address and not attributes:
        return reason
    try:
        await shop.write_customer(account.id, _fields(account, email if changed_address else account.email, attributes))
    except MagentoError as error:
        if error.status == 404 and await shop.customer(str(account.id)) is None:
            return ACCOUNT_GONE
        if changed_address and await _taken(shop, account, email):
            raise Transient(
                f"Another account took the e-mail address of customer {account.id} at this moment.",
                "It is tried again without the address.",
            ) from None
        raise Permanent(
            f"{error.args[0]}", f"Correct customer {account.id} in Magento, then send the message again."
        ) from None
    return reason if await _verify(shop, account.id, email, decided) else ACCOUNT_GONE


async def _update_guest(shop: Shop, decided: CustomerRegistered) -> tuple[str | None, str]:
    """Create an account for a guest where configured; return its id, and why there is none.

    One that this bus created before is known by the SAP number it was created with, so that a repetition adopts it.
    """
    if not shop.config.create_accounts:
        return None, NO_ACCOUNT
    account = await shop.customer_with(decided.website, decided.email)
    if account is None:
        account = await _created(shop, decided)
    elif alpha(attribute(account, shop.config.sap_customer_number)) != alpha(_number(decided)):
        return None, ADDRESS_HAS_ACCOUNT
    if account is None:
        return None, ADDRESS_HAS_ACCOUNT
    return str(account.id), await _update_account(shop, account, decided)


async def _created(shop: Shop, decided: CustomerRegistered) -> CustomerJson | None:
    """Create an account; return it, or ``None`` where a foreign one with the address came first."""
    wanted = _attributes(shop.config, decided)
    for code in wanted:
        if not await shop.has_attribute(code):
            raise _no_attribute(code)
    fields: dict[str, Any] = {
        "email": decided.email,
        "firstname": decided.first_name or "-",
        "lastname": decided.last_name or "-",
        "website_id": _website_id(decided.website),
        "custom_attributes": _listed(wanted),
    }
    if (store_id := await shop.store_id(decided.store)) is not None:
        fields["store_id"] = int(store_id)
    refusal: MagentoError | None = None
    try:
        await shop.create_customer(fields)
    except MagentoError as error:
        refusal = error
    account = await shop.customer_with(decided.website, decided.email)
    if account is None:
        if refusal is not None:
            raise Permanent(str(refusal), "Correct what Magento names, then send the message again.")
        raise Transient("Magento created an account and does not find it.", "It is looked for again.")
    number = alpha(attribute(account, shop.config.sap_customer_number))
    return account if number == alpha(_number(decided)) else None


async def _verify(shop: Shop, account_id: int, email: str, decided: CustomerRegistered) -> bool:
    """Read an account back and compare; return whether it still exists."""
    account = await shop.customer(str(account_id))
    if account is None:
        return False
    for code in _missing(account, _attributes(shop.config, decided)):
        if not attribute(account, code):
            raise _no_attribute(code)
        raise Transient(
            f"Customer {account_id} carries another {code} than was written.",
            "Look for whoever else writes this attribute.",
        )
    if normalised_email(account.email) != normalised_email(email):
        raise Transient(
            f"Customer {account_id} carries another e-mail address than was written.",
            "Look for an extension that changes or confirms addresses.",
        )
    return True


async def _taken(shop: Shop, account: CustomerJson, email: str) -> bool:
    """Return whether another account has the address; asked so, since Magento's refusal is in the shop's language."""
    other = await shop.customer_with(text(account.website_id), email)
    return other is not None and other.id != account.id


def _attributes(config: MagentoConfig, decided: CustomerRegistered) -> dict[str, str]:
    wanted = {
        config.sap_customer_number: alpha(_number(decided)),
        config.sap_credit_limit: f"{decided.credit_limit:.2f}",
    }
    if config.sap_contact_person and decided.registration.contact_person:
        wanted[config.sap_contact_person] = decided.registration.contact_person
    return wanted


def _missing(account: CustomerJson, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those attributes that the account does not carry with this value."""
    return {code: value for code, value in wanted.items() if not _same(attribute(account, code), value)}


def _same(stored: str, wanted: str) -> bool:
    """Compare as text, else as numbers: a decimal attribute comes back as ``5000.000000``."""
    if alpha(stored) == alpha(wanted):
        return True
    try:
        return "." in wanted and Decimal(stored) == Decimal(wanted)
    except InvalidOperation:
        return False


def _fields(account: CustomerJson, email: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return the least that every Magento version takes: 2.4.0 and older demand address, names and website."""
    fields: dict[str, Any] = {
        "email": email,
        "firstname": text(account.firstname),
        "lastname": text(account.lastname),
        "website_id": _website_id(text(account.website_id)),
    }
    if attributes:
        fields["custom_attributes"] = _listed(attributes)
    return fields


def _listed(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"attribute_code": code, "value": value} for code, value in attributes.items()]


def _number(decided: CustomerRegistered) -> str:
    number = decided.registration.sap_customer_number
    if not number.strip():
        raise Permanent(
            "ECC registered a customer without a SAP customer number.", "Look at the customer's registration in ECC."
        )
    return number


def _website_id(website: str) -> int:
    if website.isascii() and website.isdigit():
        return int(website)
    raise Permanent("A customer's website is no Magento website id.", "Check magento.stores.")


def _no_attribute(code: str) -> Permanent:
    return Permanent(
        f"Magento stores no customer attribute {code}.",
        f"Create the customer attribute {code} in Magento or name the right one in the configuration, "
        "then send the message again.",
    )
