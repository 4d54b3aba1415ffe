"""The formats of the log: text for people, JSON for programs. Times are UTC."""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from .one_line import on_one_line

TEXT = "text"
JSON = "json"

_NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"}


def formatter(kind: str, process: str) -> logging.Formatter:
    """The formatter for the setting `log_format`. `process` is the name of the process."""
    return _JsonFormatter(process) if kind == JSON else _TextFormatter(process)


class _TextFormatter(logging.Formatter):
    """A line begins like `2026-01-31T12:00:00.000Z INFO worker 1: logger: `. Lines of a traceback are indented, so
    that the text of an exception cannot look like another line of the log."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process}: %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, _: str | None = None) -> str:  # noqa: N802 - the name in logging
        return _utc(record.created)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name in logging
        return "\n".join("  " + on_one_line(line) for line in super().formatException(ei).split("\n"))


class _JsonFormatter(JsonFormatter):
    """One object a line. It is ASCII, so that no character can end the line or move a cursor."""

    def __init__(self, process: str) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields=_NAMES,
            static_fields={"process": process},
            json_ensure_ascii=True,
        )

    def formatTime(self, record: logging.LogRecord, _: str | None = None) -> str:  # noqa: N802 - the name in logging
        return _utc(record.created)


def _utc(seconds: float) -> str:
    """A time since the epoch, in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
