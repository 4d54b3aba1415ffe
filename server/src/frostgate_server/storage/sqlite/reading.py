"""Reads a database without a change on disk, if no process has it open: for backups and offline commands."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .connections import connect_to_read
from .driver import sqlite3

_IN_USE = ("-wal", "-journal")
"""Suffixes of files that exist while a process has the database open, or after that process was killed."""


class OpenedMeanwhile(StartupError):
    """Another process opened the database while it was read as an immutable file."""


@contextmanager
def opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to read a whole database.

    If no process has the database open, it writes nothing and needs no write permission. Otherwise SQLite needs its own
    files beside the database. Raises OpenedMeanwhile at the end if a process opened the database meanwhile, because the
    reads may then be inconsistent.
    """
    if _is_in_use(path):
        with closing(connect_to_read(path)) as connection:
            yield connection
        return
    before = _state(path)
    try:
        with closing(_connect_immutable(path)) as connection:
            yield connection
    finally:
        if _is_in_use(path) or _state(path) != before:
            raise OpenedMeanwhile(f"database {path} was opened by another process meanwhile: run the command again")


def _connect_immutable(path: Path) -> sqlite3.Connection:
    """For an immutable file, SQLite takes no lock and creates no other file."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _is_in_use(path: Path) -> bool:
    return any(path.with_name(path.name + ending).exists() for ending in _IN_USE)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
