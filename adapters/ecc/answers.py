"""What a function module returned, held against the interface that it should have.

pyrfc hands out whatever the function module in ECC declares. One that was imported half or changed there is noticed
here, with its name, and not as a missing key somewhere in a handler.
"""

from collections.abc import Mapping
from typing import Any

from adapters.ecc.dictionary import FUNCTIONS, STRUCTURES, Field, misfit
from schemas.failures import Outage, Permanent

RETURN = "RETURN"
"""Messages of a BAPI; read leniently, since they say what went wrong."""
_COMPARE = "Compare the function module in ECC with docs/ecc-interfaces.md, then `orderbus check`."
_CORRECT = "Correct the value in ECC, or the function module as docs/ecc-interfaces.md describes it, and retry."


def checked(function: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer whose exports and result tables are known to be there and of their types.

    Parameters
    ----------
    function:
        Name of the function module.
    answer:
        Exports and tables by name, see `adapters.ecc.rfc.Session.call`.

    Raises
    ------
    Outage
        Something is missing or of another kind, as it will be in every answer.
    Permanent
        A value is not one that its field can hold.
    """
    described = FUNCTIONS.get(function)
    if described is None:
        return answer
    for name, parameter in described.exports.items():
        if name not in answer:
            raise _mismatch(function, f"{name} is missing")
        if isinstance(parameter.type, Field):
            _check_value(function, parameter.type, answer[name])
        else:
            _check_row(function, name, parameter.type, answer[name])
    for name, parameter in described.tables.items():
        if name != RETURN and not name.startswith("ET_"):
            continue
        rows = answer.get(name)
        if not isinstance(rows, list):
            raise _mismatch(function, f"{name} is {'no table' if name in answer else 'missing'}")
        for row in rows:
            _check_row(function, name, str(parameter.type), row)
    return answer


def _check_row(function: str, name: str, structure: str, row: object) -> None:
    if not isinstance(row, Mapping):
        raise _mismatch(function, f"{name} holds something else than {structure}")
    if name == RETURN:
        return
    for field in STRUCTURES[structure].values():
        if field.name not in row:
            raise _mismatch(function, f"{name} lacks the field {field.name} of {structure}")
        _check_value(function, field, row[field.name])


def _check_value(function: str, field: Field, value: object) -> None:
    reason = misfit(field, value)
    if reason:
        # Not the value: it may name a person.
        raise Permanent(f"{function} returned a value that {reason}.", _CORRECT)


def _mismatch(function: str, what: str) -> Outage:
    return Outage(f"The answer of {function} does not match its interface: {what}.", _COMPARE)
