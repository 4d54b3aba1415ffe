"""Exports the head of the history periodically, to a place where an attacker with the database cannot write."""

import json
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.head import Head

_log = logging.getLogger(__name__)

LAST_EXPORT = 5.0
"""Seconds that a shutdown waits for the last export."""


class HeadExporter:
    """Writes the head as a line of JSON. It uses its own thread, so that a blocked write stops nothing else."""

    def __init__(self, get_head: Callable[[], Head], write: Callable[[str], None], period: timedelta) -> None:
        """Exports at once, then once in each period, and a last time in `end`."""
        self._get_head = get_head
        self._write = write
        self._period = period.total_seconds()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._export_all, name="head-export", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Exports a last time, and waits at most LAST_EXPORT for it."""
        self._ended.set()
        self._thread.join(LAST_EXPORT)
        if self._thread.is_alive():
            _log.error("the last export of the head did not end within %g s", LAST_EXPORT)

    def _export_all(self) -> None:
        self._export()
        while not self._ended.wait(self._period):
            self._export()
        self._export()

    def _export(self) -> None:
        """Exports the head. Logs an error; the next period retries."""
        try:
            head = self._get_head()
            self._write(json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **head.fields()}))
        except (OSError, StartupError) as error:
            _log.error("the head cannot be exported: %s", error)


def append_line(file: Path, line: str) -> None:
    """Appends a line to a file, and syncs it to disk. An incomplete line of an earlier write becomes a line of its own.

    Raises OSError.
    """
    is_new = not file.exists()
    with file.open("ab+", buffering=0) as appended:
        if appended.tell() > 0:
            appended.seek(-1, os.SEEK_END)
            if appended.read(1) != b"\n":
                appended.write(b"\n")
        appended.write(line.encode() + b"\n")
        os.fsync(appended.fileno())
    if is_new:
        make_name_durable(file)
