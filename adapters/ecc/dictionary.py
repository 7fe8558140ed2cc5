"""The part of SAP's data dictionary that the adapter uses: structures with field lengths, and function interfaces.

Field names, types and lengths are those of ECC 6.0 as publicly documented; only what an order integration can use is
listed. What is ours (``ZORDERBUS_*``, ``Z_ORDERBUS_*``) is described in ``docs/ecc-interfaces.md``.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

from msgspec import Struct

Kind: TypeAlias = Literal["CHAR", "NUMC", "DEC", "CURR", "QUAN", "DATS", "INT4"]
"""A data type of the dictionary. CUKY and UNIT behave as CHAR over RFC and are listed as such."""

DECIMALS: frozenset[Kind] = frozenset({"DEC", "CURR", "QUAN"})
"""Packed numbers: `decimal.Decimal` in Python."""


class Field(Struct, frozen=True):
    """One field of a structure, or one scalar parameter.

    Parameters
    ----------
    name:
        As in the dictionary, e.g. ``"PURCH_NO_C"``.
    kind:
        Data type.
    length:
        Characters; for packed numbers the digits, decimals included; 10 for INT4.
    decimals:
        Decimal places of a packed number.
    """

    name: str
    kind: Kind
    length: int
    decimals: int = 0


class Parameter(Struct, frozen=True):
    """One import, export or table of a function module.

    Parameters
    ----------
    type:
        A scalar's field, or the name of a structure in `STRUCTURES` (for a table: of its rows).
    mandatory:
        A call without it ends in an error.
    """

    name: str
    type: Field | str
    mandatory: bool = False


class Function(Struct, frozen=True):
    """The interface of a function module."""

    name: str
    imports: Mapping[str, Parameter]
    exports: Mapping[str, Parameter]
    tables: Mapping[str, Parameter]


def text_length(text: str) -> int:
    """Return how many characters of a CHAR field a text fills, or -1 if it is not valid Unicode.

    SAP counts UTF-16 units: what lies beyond the basic plane, emoji for one, counts twice.

    >>> text_length("Müller"), text_length("\N{GRINNING FACE}")
    (6, 2)
    """
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return -1


def misfit(field: Field, value: object) -> str:
    """Say why a value does not fit a field, or return an empty string if it does.

    The reason holds the limit but not the value, so that it may be logged.

    Parameters
    ----------
    field:
        The field to fill.
    value:
        What RFC takes: `str` for CHAR and NUMC (digits), `Decimal` or numeric `str` for packed numbers, `date` or
        ``YYYYMMDD`` for DATS (empty: no date), `int` for INT4.

    >>> misfit(Field("REF_1", "CHAR", 12), "thirteen char")
    'is 13 characters long, REF_1 takes 12'
    >>> misfit(Field("REQ_QTY", "QUAN", 13, 3), Decimal("1.2345"))
    'has 4 decimals, REQ_QTY takes 3'
    >>> misfit(Field("ITM_NUMBER", "NUMC", 6), "000010")
    ''
    """
    if field.kind in DECIMALS:
        return _decimal_misfit(field, value)
    if field.kind in {"CHAR", "NUMC"}:
        return _text_misfit(field, value)
    if field.kind == "DATS":
        return "" if isinstance(value, date) or _is_date(value) else f"is no date, which {field.name} takes"
    return "" if isinstance(value, int) and -(2**31) <= value < 2**31 else f"is no INT4, which {field.name} takes"


def _text_misfit(field: Field, value: object) -> str:
    if not isinstance(value, str):
        return f"is no text, which {field.name} takes"
    units = text_length(value)
    if units < 0:
        return f"holds half a surrogate pair, which is no text that {field.name} takes"
    if units > field.length:
        return f"is {units} characters long, {field.name} takes {field.length}"
    if field.kind == "NUMC" and value and not (value.isascii() and value.isdigit()):
        return f"is not all digits, which {field.name} takes"
    return ""


def _decimal_misfit(field: Field, value: object) -> str:
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        return f"is no decimal number, which {field.name} takes"
    whole = field.length - field.decimals
    if abs(number) >= 10**whole:
        return f"has more than {whole} digits before the point, {field.name} takes {whole}"
    if number != number.quantize(Decimal(1).scaleb(-field.decimals)):
        places = -int(number.normalize().as_tuple().exponent)
        return f"has {places} decimals, {field.name} takes {field.decimals}"
    return ""


def _is_date(value: object) -> bool:
    if value in {"", "00000000"}:
        return True
    if not isinstance(value, str) or re.fullmatch(r"[0-9]{8}", value) is None:
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


_SPELLING = re.compile(r"(CHAR|NUMC|DEC|CURR|QUAN|DATS|INT4)(\d*)(?:\.(\d+))?")


def _field(name: str, spelling: str) -> Field:
    match = _SPELLING.fullmatch(spelling)
    if match is None:
        raise ValueError(f"{name}: {spelling} is no dictionary type")
    kind = cast("Kind", match[1])
    length = {"DATS": 8, "INT4": 10}.get(kind) or int(match[2])
    return Field(name, kind, length, int(match[3] or 0))


def _structure(text: str) -> Mapping[str, Field]:
    words = text.split()
    fields = (_field(name, spelling) for name, spelling in zip(words[::2], words[1::2], strict=True))
    return MappingProxyType({field.name: field for field in fields})


def _flags(of: Mapping[str, Field], keys: str) -> Mapping[str, Field]:
    """Return a structure's X structure: its keys, UPDATEFLAG, and a CHAR1 flag for every other field."""
    kept = {name: of[name] for name in keys.split()}
    flags = {name: Field(name, "CHAR", 1) for name in of if name not in kept}
    return MappingProxyType({**kept, "UPDATEFLAG": Field("UPDATEFLAG", "CHAR", 1), **flags})


_BAPISDHD1 = _structure("""
    DOC_TYPE CHAR4    SALES_ORG CHAR4   DISTR_CHAN CHAR2  DIVISION CHAR2    SALES_GRP CHAR3   SALES_OFF CHAR4
    REQ_DATE_H DATS   DATE_TYPE CHAR1   PURCH_DATE DATS   PO_METHOD CHAR4   PO_SUPPLEM CHAR4  REF_1 CHAR12
    NAME CHAR35       TELEPHONE CHAR16  PRICE_GRP CHAR2   CUST_GROUP CHAR2  SALES_DIST CHAR6  PRICE_LIST CHAR2
    INCOTERMS1 CHAR3  INCOTERMS2 CHAR28 PMNTTRMS CHAR4    DLV_BLOCK CHAR2   BILL_BLOCK CHAR2  ORD_REASON CHAR3
    COMPL_DLV CHAR1   PRICE_DATE DATS   PURCH_NO_C CHAR35 PURCH_NO_S CHAR35 PO_DAT_S DATS     PO_METH_S CHAR4
    REF_1_S CHAR12    DOC_DATE DATS     SHIP_COND CHAR2   PYMT_METH CHAR1   CURRENCY CHAR5
""")
_BAPISDITM = _structure("""
    ITM_NUMBER NUMC6  HG_LV_ITEM NUMC6    PO_ITM_NO CHAR6  MATERIAL CHAR18  BATCH CHAR10      REASON_REJ CHAR2
    BILL_BLOCK CHAR2  PLANT CHAR4         STORE_LOC CHAR4  SHIP_POINT CHAR4 ROUTE CHAR6       TARGET_QTY QUAN13.3
    TARGET_QU CHAR3   SALES_UNIT CHAR3    ITEM_CATEG CHAR4 SHORT_TEXT CHAR40 PURCH_NO_C CHAR35 PURCH_DATE DATS
    PURCH_NO_S CHAR35 PMNTTRMS CHAR4      INCOTERMS1 CHAR3 INCOTERMS2 CHAR28 PROFIT_CTR CHAR10 CUST_MAT35 CHAR35
""")
_BAPISCHDL = _structure("""
    ITM_NUMBER NUMC6  SCHED_LINE NUMC4    REQ_DATE DATS    DATE_TYPE CHAR1  REQ_QTY QUAN13.3  REQ_DLV_BL CHAR2
""")
_BAPICOND = _structure("""
    ITM_NUMBER NUMC6  COND_ST_NO NUMC3    COND_COUNT NUMC2 COND_TYPE CHAR4  COND_VALUE DEC28.9
    CURRENCY CHAR5    COND_UNIT CHAR3     COND_P_UNT DEC5
""")

STRUCTURES: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        "BAPISDHD1": _BAPISDHD1,
        "BAPISDHD1X": _flags(_BAPISDHD1, ""),
        "BAPISDITM": _BAPISDITM,
        "BAPISDITMX": _flags(_BAPISDITM, "ITM_NUMBER"),
        "BAPISCHDL": _BAPISCHDL,
        "BAPISCHDLX": _flags(_BAPISCHDL, "ITM_NUMBER SCHED_LINE"),
        "BAPICOND": _BAPICOND,
        "BAPICONDX": _flags(_BAPICOND, "ITM_NUMBER COND_ST_NO COND_COUNT COND_TYPE"),
        "BAPIPARNR": _structure("""
            PARTN_ROLE CHAR2   PARTN_NUMB CHAR10 ITM_NUMBER NUMC6  TITLE CHAR15    NAME CHAR35      NAME_2 CHAR35
            NAME_3 CHAR35      NAME_4 CHAR35     STREET CHAR35     COUNTRY CHAR3   COUNTR_ISO CHAR2 POSTL_CODE CHAR10
            POBX_PCD CHAR10    POBX_CTY CHAR35   CITY CHAR35       DISTRICT CHAR35 REGION CHAR3     PO_BOX CHAR10
            TELEPHONE CHAR16   TELEPHONE2 CHAR16 FAX_NUMBER CHAR31 LANGU CHAR1     LANGU_ISO CHAR2  UNLOAD_PT CHAR25
            TRANSPZONE CHAR10  TAXJURCODE CHAR15 ADDRESS CHAR10    ADDR_LINK CHAR10
        """),
        "BAPISDTEXT": _structure("""
            DOC_NUMBER CHAR10  ITM_NUMBER NUMC6  TEXT_ID CHAR4     LANGU CHAR1     LANGU_ISO CHAR2  FORMAT_COL CHAR2
            TEXT_LINE CHAR132  FUNCTION CHAR3
        """),
        "BAPIADDR1": _structure("""
            ADDR_NO CHAR10     FORMOFADDR CHAR30 NAME CHAR40       NAME_2 CHAR40     NAME_3 CHAR40     NAME_4 CHAR40
            C_O_NAME CHAR40    CITY CHAR40       DISTRICT CHAR40   POSTL_COD1 CHAR10 POSTL_COD2 CHAR10 PO_BOX CHAR10
            STREET CHAR60      HOUSE_NO CHAR10   STR_SUPPL1 CHAR40 STR_SUPPL2 CHAR40 STR_SUPPL3 CHAR40 LOCATION CHAR40
            BUILDING CHAR20    FLOOR CHAR10      ROOM_NO CHAR10    COUNTRY CHAR3     COUNTRYISO CHAR2  LANGU CHAR1
            LANGU_ISO CHAR2    REGION CHAR3      SORT1 CHAR20      TEL1_NUMBR CHAR30 TEL1_EXT CHAR10   FAX_NUMBER CHAR30
            E_MAIL CHAR241
        """),
        "BAPIPAREX": _structure("""
            STRUCTURE CHAR30   VALUEPART1 CHAR240 VALUEPART2 CHAR240 VALUEPART3 CHAR240 VALUEPART4 CHAR240
        """),
        "BAPIRET2": _structure("""
            TYPE CHAR1         ID CHAR20         NUMBER NUMC3      MESSAGE CHAR220   LOG_NO CHAR20     LOG_MSG_NO NUMC6
            MESSAGE_V1 CHAR50  MESSAGE_V2 CHAR50 MESSAGE_V3 CHAR50 MESSAGE_V4 CHAR50 PARAMETER CHAR32  ROW INT4
            FIELD CHAR30       SYSTEM CHAR10
        """),
        "RFC_FUNINT": _structure("""
            PARAMCLASS CHAR1   PARAMETER CHAR30  TABNAME CHAR30    FIELDNAME CHAR30  EXID CHAR1        OPTIONAL CHAR1
        """),
        "ZORDERBUS_S_PEND": (
            _pending := _structure("""
                ORDER_KEY CHAR35    CUSTOMER_KEY CHAR100 MAGENTO_CUSTOMER_ID CHAR20 MAGENTO_ORDER_ID CHAR20
                INCREMENT_ID CHAR32 STORE CHAR32         WEBSITE CHAR20             EMAIL CHAR128  PLACED_AT CHAR20
            """)
        ),
        "ZORDERBUS_S_ROW": MappingProxyType(
            {
                **_pending,
                **_structure("""
                    CLEARED CHAR1       REASON CHAR20        VBELN CHAR10               LEASE_ID CHAR36
                    LEASED_AT CHAR20    LEASED_UNTIL CHAR20  ADDED_AT CHAR20            CLEARED_AT CHAR20
                """),
            }
        ),
        "ZORDERBUS_S_KEY": _structure("ORDER_KEY CHAR35"),
        "ZORDERBUS_S_FOUND": _structure("""
            ORDER_KEY CHAR35    VBELN CHAR10         KUNNR CHAR10               NETWR DEC23.4
            WAERK CHAR5         CREATED_AT CHAR20
        """),
        "ZORDERBUS_S_CUST_IN": _structure("""
            CUSTOMER_KEY CHAR100 COMPANY_KEY CHAR100 EMAIL CHAR128       ORIGINAL_EMAIL CHAR128
            NAME1 CHAR35         NAME2 CHAR35        FIRST_NAME CHAR35   LAST_NAME CHAR35    STREET CHAR60
            STREET2 CHAR40       CITY CHAR40         POSTL_CODE CHAR10   COUNTRY CHAR3       REGION CHAR3
            TELEPHONE CHAR30     VAT_ID CHAR20       LANGU CHAR1         CURRENCY CHAR5      SALES_ORG CHAR4
            DISTR_CHAN CHAR2     DIVISION CHAR2      REF_CUSTOMER CHAR10 CREDIT_AREA CHAR4   CREDIT_LIMIT CURR15.2
            CREDIT_CURRENCY CHAR5 MAGENTO_CUSTOMER_ID CHAR20 STORE CHAR32 WEBSITE CHAR20
        """),
        "ZORDERBUS_S_CUST": _structure("""
            CUSTOMER_KEY CHAR100 COMPANY_KEY CHAR100 KUNNR CHAR10        PARNR NUMC10        EMAIL CHAR128
            ORIGINAL_EMAIL CHAR128 FIRST_NAME CHAR35 LAST_NAME CHAR35    CREDIT_AREA CHAR4   CREDIT_LIMIT CURR15.2
            CREDIT_CURRENCY CHAR5 MAGENTO_CUSTOMER_ID CHAR20 STORE CHAR32 WEBSITE CHAR20
            REGISTERED_AT CHAR20 CHANGED_AT CHAR20
        """),
    }
)
"""Every structure by name, its fields in order."""


def _parameters(text: str) -> Mapping[str, Parameter]:
    """Read ``NAME type`` lines; ``!`` after the type marks a mandatory parameter."""
    words = text.split()
    parameters = {}
    for name, spelling in zip(words[::2], words[1::2], strict=True):
        type_name = spelling.removesuffix("!")
        kind = type_name if type_name in STRUCTURES else _field(name, type_name)
        parameters[name] = Parameter(name, kind, mandatory=spelling.endswith("!"))
    return MappingProxyType(parameters)


def _function(name: str, *, imports: str = "", exports: str = "", tables: str = "") -> Function:
    return Function(name, _parameters(imports), _parameters(exports), _parameters(tables))


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for function in (
            _function("RFC_PING"),
            _function("RFC_GET_FUNCTION_INTERFACE", imports="FUNCNAME CHAR30!", tables="PARAMS RFC_FUNINT"),
            _function(
                "BAPI_SALESORDER_CREATEFROMDAT2",
                imports="""
                    SALESDOCUMENTIN CHAR10          ORDER_HEADER_IN BAPISDHD1!      ORDER_HEADER_INX BAPISDHD1X
                    INT_NUMBER_ASSIGNMENT CHAR1     BEHAVE_WHEN_ERROR CHAR1         TESTRUN CHAR1
                    CONVERT CHAR1
                """,
                exports="SALESDOCUMENT CHAR10",
                tables="""
                    RETURN BAPIRET2                 ORDER_ITEMS_IN BAPISDITM        ORDER_ITEMS_INX BAPISDITMX
                    ORDER_PARTNERS BAPIPARNR!       ORDER_SCHEDULES_IN BAPISCHDL    ORDER_SCHEDULES_INX BAPISCHDLX
                    ORDER_CONDITIONS_IN BAPICOND    ORDER_CONDITIONS_INX BAPICONDX  ORDER_TEXT BAPISDTEXT
                    EXTENSIONIN BAPIPAREX           PARTNERADDRESSES BAPIADDR1
                """,
            ),
            _function("BAPI_TRANSACTION_COMMIT", imports="WAIT CHAR1", exports="RETURN BAPIRET2"),
            _function("BAPI_TRANSACTION_ROLLBACK", exports="RETURN BAPIRET2"),
            _function(
                "Z_ORDERBUS_ORDER_OPEN",
                imports="IV_ORDER_KEY CHAR35! IV_SCOPE CHAR1 IV_FIELD CHAR1 IV_CUSTOMER_KEY CHAR100",
                exports="EV_VBELN CHAR10 EV_KUNNR CHAR10 EV_CUST_KUNNR CHAR10 EV_CUST_PARNR CHAR10",
            ),
            _function(
                "Z_ORDERBUS_PENDING_ADD",
                imports="IS_PENDING ZORDERBUS_S_PEND!",
                exports="EV_EXISTED CHAR1 ES_ROW ZORDERBUS_S_ROW",
            ),
            _function(
                "Z_ORDERBUS_PENDING_GET",
                imports="""
                    IV_CUSTOMER_KEY CHAR100  IV_LEASE_ID CHAR36  IV_LEASE_SECONDS INT4  IV_LEASED_BEFORE CHAR20
                    IV_AFTER CHAR35          IV_MAX_ROWS INT4!   IV_PEEK CHAR1          IV_ONLY_OPEN CHAR1
                """,
                exports="EV_MORE CHAR1",
                tables="ET_ROWS ZORDERBUS_S_ROW",
            ),
            _function(
                "Z_ORDERBUS_PENDING_CLEAR",
                imports="IV_ORDER_KEY CHAR35! IV_REASON CHAR20! IV_VBELN CHAR10",
                exports="EV_FOUND CHAR1 EV_CHANGED CHAR1",
            ),
            _function(
                "Z_ORDERBUS_ORDERS_FIND",
                imports="IV_FIELD CHAR1",
                exports="EV_NOW CHAR20",
                tables="""
                    IT_KEYS ZORDERBUS_S_KEY  ET_ORDERS ZORDERBUS_S_FOUND  ET_PENDING ZORDERBUS_S_ROW
                    ET_CUSTOMERS ZORDERBUS_S_CUST
                """,
            ),
            _function(
                "Z_ORDERBUS_CUSTOMER_REGISTER",
                imports="IS_CUSTOMER ZORDERBUS_S_CUST_IN! IV_FIND_ONLY CHAR1",
                exports="ES_CUSTOMER ZORDERBUS_S_CUST EV_CREATED CHAR1",
                tables="RETURN BAPIRET2",
            ),
            _function(
                "Z_ORDERBUS_CUSTOMERS_CHANGED",
                imports="IV_SINCE CHAR20 IV_AFTER_KEY CHAR100 IV_ONLY_PENDING CHAR1 IV_MAX_ROWS INT4!",
                exports="EV_MORE CHAR1 EV_NOW CHAR20",
                tables="ET_CUSTOMERS ZORDERBUS_S_CUST",
            ),
        )
    }
)
"""Every function module that the adapter calls, by name."""
