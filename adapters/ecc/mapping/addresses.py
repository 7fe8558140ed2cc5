"""Postal addresses as ECC's address structures take them: what one field does not hold goes on in the next."""

from collections.abc import Mapping, Sequence

from adapters.ecc.config import Store
from adapters.ecc.dictionary import STRUCTURES
from adapters.ecc.mapping.fields import Row, fitted
from schemas.failures import Permanent
from schemas.order import Address

NAMES = ("NAME", "NAME_2", "NAME_3", "NAME_4")
STREETS = ("STREET", "STR_SUPPL1", "STR_SUPPL2", "STR_SUPPL3", "LOCATION")


def address_row(address: Address, number: str, store: Store, where: str) -> Row:
    """Return an address as a row of PARTNERADDRESSES (BAPIADDR1).

    Parameters
    ----------
    number:
        ADDR_NO, by which a partner's ADDR_LINK finds it.

    Raises
    ------
    Permanent
        Name, street or another part is longer than its fields together.
    """
    values = {
        "ADDR_NO": number,
        **spread("BAPIADDR1", NAMES, names(address), where),
        **spread("BAPIADDR1", STREETS, address.street, where),
        "POSTL_COD1": address.postcode,
        "CITY": address.city,
        "REGION": region(address, store),
        "COUNTRY": address.country,
        "LANGU": store.language,
        "TEL1_NUMBR": address.telephone,
        "E_MAIL": address.email,
    }
    return fitted("BAPIADDR1", values, where)


def names(address: Address) -> Sequence[str]:
    """Return the lines of an address's name: the company first, where there is one."""
    return (address.company, f"{address.first_name} {address.last_name}")


def region(address: Address, store: Store) -> str:
    """Return ECC's region, or an empty string where none is configured: ECC refuses codes it does not know."""
    mapped = store.regions.get(f"{address.country}-{address.region_code}")
    if mapped is not None:
        return mapped
    return address.region_code if address.country in store.same_regions else ""


def spread(structure: str, fields: Sequence[str], lines: Sequence[str], where: str) -> Mapping[str, str]:
    """Return lines of text laid into fields, each line beginning a field, none cut.

    A line that is longer than its field is broken between words, or within a word that is itself too long.

    Raises
    ------
    Permanent
        The fields together do not hold the text; says how long it is and not what it says.

    Examples
    --------
    >>> spread("ZORDERBUS_S_CUST_IN", ("STREET", "STREET2"), ["Am Markt 1", "Hinterhaus"], "Customer")
    {'STREET': 'Am Markt 1', 'STREET2': 'Hinterhaus'}
    """
    limits = [STRUCTURES[structure][name].length for name in fields]
    filled: list[str] = []
    for line in lines:
        rest = " ".join(line.split())
        while rest and len(filled) < len(fields):
            piece = _piece(rest, limits[len(filled)])
            filled.append(piece)
            rest = rest[len(piece) :].lstrip()
        if rest:
            takes = " + ".join(map(str, limits))
            given = " + ".join(str(len(text)) for text in lines if text.strip())
            raise Permanent(
                f"{where}: {given} characters do not fit {', '.join(fields)} of {structure}, which take {takes}.",
                "Shorten it in the shop, then place it anew with `orderbus reconcile --repair`.",
            )
    return dict(zip(fields, filled, strict=False))


def _piece(text: str, limit: int) -> str:
    """Return as much of a text as a field holds, up to the last space if there is one."""
    if len(text) <= limit:
        return text
    space = text.rfind(" ", 0, limit + 1)
    return text[:space] if space > 0 else text[:limit]
