"""How parameters travel between client and simulator: JSON, checked and typed by the data dictionary at both ends.

The client refuses what pyrfc and the SAP NW RFC SDK refuse: unknown parameters and fields, texts longer than their
field, numbers with too many digits, and `int` where a packed number is wanted.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.ecc.dictionary import DECIMALS, FUNCTIONS, STRUCTURES, Field, Function, Parameter, misfit
from adapters.ecc.rfc import AbapApplicationError, AbapRuntimeError, RfcError

MAX_ROWS = 10_000
"""Rows a table may have on its way in."""


def interface(name: str) -> Function:
    """Return a function module's interface.

    Raises
    ------
    AbapApplicationError
        ``FU_NOT_FOUND``, as the look-up of its metadata ends in SAP.
    """
    if name not in FUNCTIONS:
        raise AbapApplicationError(f"Function module {name[:30]} does not exist", "FU_NOT_FOUND")
    return FUNCTIONS[name]


def arguments(function: Function, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's parameters in JSON types.

    Raises
    ------
    RfcError
        ``RFC_INVALID_PARAMETER``: the interface has no such parameter or field. ``RFC_CONVERSION_FAILURE``: a value
        does not fit its field. Neither names the value.
    TypeError
        The value's Python type is not one that the field takes.
    """
    return {name: _converted(_input(function, name), value, _outgoing) for name, value in given.items()}


def imports(function: Function, received: Mapping[str, Any]) -> dict[str, Any]:
    """Return all inputs of a function module as it sees them: checked, typed, initial where nothing was given.

    Raises
    ------
    RfcError
        As for `arguments`.
    AbapRuntimeError
        ``CALL_FUNCTION_PARM_MISSING``: a mandatory parameter is not there.
    """
    values: dict[str, Any] = {}
    for name, value in received.items():
        parameter = _input(function, name)
        values[name] = _converted(parameter, value, _incoming, complete=True)
    for name, parameter in (*function.imports.items(), *function.tables.items()):
        if name in values:
            continue
        if parameter.mandatory:
            raise AbapRuntimeError(f"Parameter {name} of {function.name} is missing", "CALL_FUNCTION_PARM_MISSING")
        values[name] = [] if name in function.tables else initial(parameter.type)
    return values


def results(function: Function, received: Mapping[str, Any]) -> dict[str, Any]:
    """Return exports and tables in the types a caller expects: packed numbers as `Decimal`."""
    outputs = {**function.exports, **function.tables}
    return {name: _typed(outputs[name].type, value) for name, value in received.items() if name in outputs}


def initial(type_: Field | str) -> Any:
    """Return the initial value of a type: spaces, zeros, or a structure of them."""
    return dict(_INITIAL[type_]) if isinstance(type_, str) else _initial_value(type_)


def _initial_value(type_: Field) -> object:
    if type_.kind in DECIMALS:
        return Decimal(0)
    if type_.kind == "INT4":
        return 0
    return "0" * type_.length if type_.kind == "NUMC" else ""


_INITIAL = {
    name: {field.name: _initial_value(field) for field in fields.values()} for name, fields in STRUCTURES.items()
}


def _input(function: Function, name: str) -> Parameter:
    parameter = function.imports.get(name) or function.tables.get(name)
    if parameter is None:
        raise RfcError(f"{function.name} has no parameter {name[:30]}", "RFC_INVALID_PARAMETER")
    return parameter


def _converted(
    parameter: Parameter, value: object, convert: Callable[[Field, object], Any], *, complete: bool = False
) -> Any:
    if isinstance(parameter.type, Field):
        return convert(parameter.type, value)
    if isinstance(value, Mapping):
        return _structure(parameter.type, value, convert, complete=complete)
    if isinstance(value, list | tuple) and len(value) <= MAX_ROWS:
        return [_structure(parameter.type, row, convert, complete=complete) for row in value]
    raise TypeError(f"{parameter.name} is no structure and no table of at most {MAX_ROWS} rows")


def _structure(name: str, value: object, convert: Callable[[Field, object], Any], *, complete: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a row of {name} is no mapping")
    fields = STRUCTURES[name]
    unknown = next((field for field in value if field not in fields), None)
    if unknown is not None:
        raise RfcError(f"{name} has no field {str(unknown)[:30]}", "RFC_INVALID_PARAMETER")
    converted = {field: convert(fields[field], given) for field, given in value.items()}
    return {**initial(name), **converted} if complete else converted


def _outgoing(field: Field, value: object) -> object:
    if field.kind in DECIMALS and not isinstance(value, str | float | Decimal):
        raise TypeError(f"{field.name} takes str, float or Decimal, not {type(value).__name__}")
    if isinstance(value, float):
        value = str(value)
    elif isinstance(value, date):
        value = value.strftime("%Y%m%d")
    elif field.kind != "INT4" and not isinstance(value, str | Decimal):
        raise TypeError(f"{field.name} takes str, not {type(value).__name__}")
    _check(field, value)
    return str(value) if isinstance(value, Decimal) else value


def _incoming(field: Field, value: object) -> object:
    _check(field, value)
    if field.kind in DECIMALS:
        return Decimal(str(value))
    if field.kind == "INT4":
        return value
    text = str(value)
    if field.kind == "NUMC":
        return text.zfill(field.length)
    if field.kind == "DATS":
        return "" if text == "00000000" else text
    return text.rstrip()


def _check(field: Field, value: object) -> None:
    reason = misfit(field, value)
    if reason:
        raise RfcError(f"the value {reason}", "RFC_CONVERSION_FAILURE")


def _typed(type_: Field | str, value: Any) -> Any:
    if isinstance(type_, Field):
        return Decimal(value) if type_.kind in DECIMALS else value
    packed = [name for name, field in STRUCTURES[type_].items() if field.kind in DECIMALS]
    for row in value if isinstance(value, list) else (value,):
        for name in packed:
            row[name] = Decimal(row[name])
    return value
