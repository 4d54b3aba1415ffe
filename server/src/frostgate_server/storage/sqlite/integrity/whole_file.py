"""Checks that all pages of a database are present: each in its file, or in the write-ahead log beside it.

This is checked before a writing connection is opened. SQLite itself does not check it: it applies the log to a
truncated database, fills missing pages with zeros, and removes the log.
"""

from contextlib import suppress
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.paths import beside
from frostgate_server.storage.sqlite.files.write_ahead_log import find_log
from frostgate_server.storage.sqlite.reading import OpenedMeanwhile, opened_to_read

RESTORE = "restore a backup with frostgate-server restore --database FILE BACKUP"

_HEADER_BYTES = 100
"""The size of the header of a database. An SQLite database is never smaller."""

_MOST_LOOKS = 10
"""Looks at a database that other processes open and close at the same time."""

_PENDING_BYTE = 2**30
"""SQLite never writes the page that contains this byte."""


def ensure_whole(path: Path) -> None:
    """Raises StartupError if a page of the database is missing, or its log belongs to another one. Changes nothing.

    May be called while the database is served. Raises sqlite3.Error and OSError if it cannot be read.
    """
    if path.stat().st_size < _HEADER_BYTES:
        # SQLite removes the log of a database with 0 bytes or 1 byte.
        raise StartupError(f"{path} is not a frostgate database, or was truncated: correct --database, or {RESTORE}")
    if beside(path, "-journal").exists():
        # The database was not in WAL mode. It has no log, and a read-only connection cannot roll back.
        return None
    for _ in range(_MOST_LOOKS - 1):
        with suppress(OpenedMeanwhile):
            return _look_for_missing_pages(path)
    return _look_for_missing_pages(path)


def _look_for_missing_pages(path: Path) -> None:
    with opened_to_read(path) as connection:
        _ensure_no_page_is_missing(path, connection)


def _ensure_no_page_is_missing(path: Path, connection: sqlite3.Connection) -> None:
    """Reads the file size last, because another process may checkpoint and restart the log meanwhile."""
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    ((_, frames, _),) = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchall()
    log = find_log(path)
    if frames > 0 and (log is None or log.page_size != page_size):
        raise StartupError(f"database {path}: its -wal file belongs to another database; {RESTORE}")
    in_log = log.pages(frames) if log is not None and path.stat().st_size < pages * page_size else set()
    present = path.stat().st_size // page_size
    missing = set(range(present + 1, pages + 1)) - in_log - {_PENDING_BYTE // page_size + 1}
    if missing:
        lost = f"page {min(missing)} of {pages} is neither in it nor in its -wal file"
        raise StartupError(f"database {path} was truncated: {lost}; {RESTORE}")
