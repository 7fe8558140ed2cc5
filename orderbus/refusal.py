"""Why a value does not fit its type, in words for whoever wrote it: where exactly, and what was meant perhaps."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

Place = tuple[str | int, ...]
"""Where a value stands: the keys and indices that lead to it."""
_MESSAGE = re.compile(r"(?P<reason>.*?)(?: - at `(?P<key>key in )?\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`")


def reason_of(error: msgspec.ValidationError, data: Any, type_: Any) -> tuple[Place, str]:
    """Return where data does not fit a type, and why.

    msgspec names neither the key of a table with free keys (it says ``[...]``) nor what a wrong name was near to.

    Parameters
    ----------
    error:
        What `msgspec.convert` raised.
    data:
        What was converted, of builtin types.
    type_:
        What it was converted to.

    >>> class Database(msgspec.Struct, forbid_unknown_fields=True):
    ...     url: str
    >>> data = {"main": {"ulr": "x"}}
    >>> try:
    ...     msgspec.convert(data, dict[str, Database])
    ... except msgspec.ValidationError as error:
    ...     reason_of(error, data, dict[str, Database])
    (('main', 'ulr'), 'unknown key; did you mean url?')
    """
    match = _MESSAGE.fullmatch(str(error))
    said = match["reason"] if match else str(error)
    steps = [name or index for name, index in _STEP.findall((match and match["path"]) or "")]
    at = _place(steps, data, type_)
    field = _FIELD.fullmatch(said)
    if field is None:
        return at, _reworded(said, at, data, type_)
    if said.startswith("Object missing"):
        return (*at, field[1]), "this key is required"
    return (*at, field[1]), "unknown key" + _near(field[1], _fields(at, type_))


def quoted(value: str) -> str:
    """Return as much of a value as a reason repeats, on one line."""
    return "".join(character if character.isprintable() else " " for character in value[:40])


def dotted(at: Place) -> str:
    """Return a path as TOML spells it.

    >>> dotted(("ecc", "stores", "b2b shop", "plants", 0))
    'ecc.stores."b2b shop".plants[0]'
    """
    text = ""
    for part in at:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else f'"{part}"')
    return text


def _reworded(said: str, at: Place, data: Any, type_: Any) -> str:
    choices = [str(value) for found in _types_at(at, type_) for value in _choices(found)]
    value = _value_at(at, data)
    if choices and isinstance(value, str) and said.startswith(("Invalid enum value", "Invalid value")):
        return f"expected one of {', '.join(sorted(choices))}, got {quoted(value)}"
    text = said.replace("`object`", "table").replace("`", "").rstrip(".")
    return text[:1].lower() + text[1:] if text.startswith(("Expected", "Invalid")) else text


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def _place(steps: list[str], data: Any, type_: Any) -> Place:
    """Put the real key for each ``...``: the first whose entry alone is refused as well."""
    at: Place = ()
    for step in steps:
        container = _value_at(at, data)
        if step == "..." and isinstance(container, dict):
            at = (*at, next((key for key in container if not _fits(_narrowed(data, at, key), type_)), step))
        else:
            at = (*at, int(step) if step.isdigit() and isinstance(container, list | tuple) else step)
    return at


def _fits(data: Any, type_: Any) -> bool:
    try:
        msgspec.convert(data, type_)
    except msgspec.ValidationError:
        return False
    return True


def _narrowed(data: Any, at: Place, key: str) -> Any:
    """Return the data with only one entry left in the table at a place."""
    if not at:
        return {key: data[key]}
    inner = _narrowed(data[at[0]], at[1:], key)
    if isinstance(data, list):
        return [inner if index == at[0] else item for index, item in enumerate(data)]
    return {**data, at[0]: inner}


def _value_at(at: Place, data: Any) -> Any:
    for step in at:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields(at: Place, type_: Any) -> list[str]:
    return [
        field.encode_name
        for found in _types_at(at, type_)
        if isinstance(found, inspect.StructType)
        for field in found.fields
    ]


def _choices(type_: inspect.Type) -> Iterator[Any]:
    if isinstance(type_, inspect.LiteralType):
        yield from type_.values
    elif isinstance(type_, inspect.EnumType):
        yield from (member.value for member in type_.cls)


def _types_at(at: Place, type_: Any) -> list[inspect.Type]:
    """Return what may stand at a place; more than one type under a union."""
    types = list(_parts(inspect.type_info(type_)))
    for step in at:
        types = [part for found in types for inner in _inner(found, step) for part in _parts(inner)]
    return types


def _parts(type_: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(type_, inspect.UnionType):
        for part in type_.types:
            yield from _parts(part)
    elif isinstance(type_, inspect.Metadata):
        yield from _parts(type_.type)
    else:
        yield type_


def _inner(type_: inspect.Type, step: str | int) -> Iterator[inspect.Type]:
    if isinstance(type_, inspect.StructType):
        yield from (field.type for field in type_.fields if field.encode_name == step)
        if step == type_.tag_field:
            yield inspect.LiteralType((type_.tag,))
    elif isinstance(type_, inspect.DictType):
        yield type_.value_type
    elif isinstance(type_, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        yield type_.item_type
    elif isinstance(type_, inspect.TupleType) and isinstance(step, int):
        yield from type_.item_types[step : step + 1]
