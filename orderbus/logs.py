"""Logs: one JSON object a line on standard error, without secrets, and nothing at all while all is well."""

import json
import logging
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from orderbus.masking import without_secrets

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object, with the correlation id and whatever was given as ``extra``.

    Tracebacks carry file, line and message of each frame, never the values of variables.

    Parameters
    ----------
    secrets:
        Values that must never appear, wherever a text got them from.
    correlation:
        Holds the correlation id of the message in hand; a record's own attribute ``correlation_id`` stands above it.
    """

    def __init__(self, secrets: Iterable[str] = (), correlation: ContextVar[str] | None = None) -> None:
        super().__init__()
        self._secrets = tuple(secrets)
        self._correlation = correlation or ContextVar("none", default="")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if correlation_id := getattr(record, "correlation_id", "") or self._correlation.get(""):
            line["correlation_id"] = correlation_id
        line |= {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: self._clean(value) for name, value in line.items()}, ensure_ascii=False)

    def _clean(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        return without_secrets(str(value), self._secrets)


def set_up(
    level: str = "WARNING",
    secrets: Iterable[str] = (),
    *,
    correlation: ContextVar[str] | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send the logs of the whole process to standard error.

    Parameters
    ----------
    level:
        Name of the lowest level that is written; in normal operation nothing reaches ``WARNING``.
    secrets:
        Values that must never appear.
    correlation:
        See `JsonLines`.
    stream:
        Where the lines go, standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets, correlation))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
