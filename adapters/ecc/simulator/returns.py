"""Rows of RETURN (BAPIRET2) as the sales order BAPI fills them.

``V4 233``, ``V1 311`` and ``S& 101`` are SAP's own; the numbers of other cases are not documented, and what stands here
is the simulator's choice: nothing may depend on it.
"""

from typing import Any

from adapters.ecc.simulator.wire import initial


def message(  # noqa: PLR0913 - these are BAPIRET2's own fields
    kind: str,
    id_: str,
    number: str,
    text: str,
    *variables: str,
    parameter: str = "",
    row: int = 0,
    field: str = "",
) -> dict[str, Any]:
    """Return one message.

    Parameters
    ----------
    kind:
        ``S`` success, ``W`` warning, ``E`` error, ``A`` abort, ``I`` information.
    id_, number:
        Message class and number, e.g. ``"V1"`` and ``"311"``.
    text:
        The message as a person reads it.
    variables:
        MESSAGE_V1 to _V4.
    parameter, row, field:
        Which parameter, which of its rows (from 1) and which field the message is about.
    """
    values = {f"MESSAGE_V{place}": value[:50] for place, value in enumerate(variables, start=1)}
    return {
        **initial("BAPIRET2"),
        **values,
        "TYPE": kind,
        "ID": id_,
        "NUMBER": number,
        "MESSAGE": text[:220],
        "PARAMETER": parameter,
        "ROW": row,
        "FIELD": field,
        "SYSTEM": "SIMECC",
    }


def error(text: str, *variables: str, parameter: str = "", row: int = 0, field: str = "") -> dict[str, Any]:
    """Return an ``E`` message whose number is the simulator's choice (``V1 799``)."""
    return message("E", "V1", "799", text, *variables, parameter=parameter, row=row, field=field)


def processed(parameter: str, row: int = 0) -> dict[str, Any]:
    """Return ``S V4 233``: a header or an item has been processed."""
    text = f"{parameter} has been processed successfully"
    return message("S", "V4", "233", text, "VBAPKOM" if row else "VBAKKOM", parameter=parameter, row=row)


def saved(document_type: str, vbeln: str) -> dict[str, Any]:
    """Return ``S V1 311``: the document has been saved."""
    number = vbeln.lstrip("0")
    return message("S", "V1", "311", f"{document_type} {number} has been saved", document_type, number)


def commit_failed() -> dict[str, Any]:
    """Return ``E S& 101``: the update that a commit waited for was terminated."""
    return message("E", "S&", "101", "Error during the update: it was terminated")
