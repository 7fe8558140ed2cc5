"""What the routing rules may be configured to do."""

import string
from typing import Literal

from msgspec import Struct, field

from schemas.identifiers import alpha

EMAIL_FIELDS = ("company", "contact", "domain", "email")


class RoutingPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configurable part of the rules: section ``[router]``.

    Raises
    ------
    ValueError
        When `email_format` names an unknown field.
    """

    default_customer: str = ""
    """Default SAP customer number of every store that `default_customers` does not name."""
    default_customers: dict[str, str] = field(default_factory=dict)
    """Default SAP customer number by store code: an account that carries it is a guest to ECC."""
    customer_is: Literal["person", "company"] = "person"
    """Whether each account becomes an SAP customer of its own, or accounts of one company share one."""
    email_format: str = "{contact}@{domain}"
    """New form of ``company.contact@domain``; fields ``{company}``, ``{contact}``, ``{domain}`` and ``{email}``."""

    def __post_init__(self) -> None:
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(self.email_format) if name is not None}
        except ValueError as error:
            raise ValueError(f"email_format is no valid template: {error}") from error
        unknown = names - set(EMAIL_FIELDS)
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in EMAIL_FIELDS)
            raise ValueError(f"email_format knows {known}, not {', '.join(sorted(unknown))}")

    def default_of(self, store: str) -> str:
        """Return the store's default SAP customer number in internal form, or an empty string."""
        return alpha(self.default_customers.get(store, self.default_customer))
