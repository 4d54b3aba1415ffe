"""The head of the history, exported now and then to a place that whoever can write to the database does not know."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from .errors import StartupError
from .sqlite_store import remembered_heads

_log = logging.getLogger(__name__)


class HeadExport:
    """Writes the head as a line of JSON."""

    def __init__(self, database: Path, write: Callable[[str], None], period: timedelta) -> None:
        """The first turn exports at once, and those after it once `period` has passed."""
        self._database = database
        self._write = write
        self._period = period.total_seconds()
        self._next = monotonic()

    def turn(self) -> None:
        """Exports if it is time."""
        if monotonic() >= self._next:
            self._next = monotonic() + self._period
            self.export()

    def export(self) -> None:
        """Exports now. What fails is logged, and tried again with the next period."""
        try:
            for head in remembered_heads(self._database):
                self._write(json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(head)}))
        except (OSError, StartupError) as error:
            _log.error("the head cannot be exported: %s", error)


def append_line(file: Path, line: str) -> None:
    """Adds a line to a file, on disk when this returns. Raises OSError."""
    with file.open("a", encoding="utf-8") as appended:
        appended.write(line + "\n")
        appended.flush()
        os.fsync(appended.fileno())
