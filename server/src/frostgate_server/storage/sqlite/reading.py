"""Reading a database without leaving a trace: a backup, or a database that no process has open."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .connections import connect_to_read
from .driver import sqlite3

_IN_USE = ("-wal", "-journal")
"""Endings of the files beside a database that a process has open, or had open when it was killed."""


@contextmanager
def opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to read a whole database.

    It writes nothing, and needs no permission to write, if no process has the database open. Otherwise SQLite needs its
    own files beside it. Raises StartupError at the end if a process opened the database meanwhile: what was read may be
    a mixture then.
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
            raise StartupError(f"database {path} was opened by another process meanwhile: run the command again")


def _connect_immutable(path: Path) -> sqlite3.Connection:
    """SQLite takes no lock on an immutable file, and makes no other file beside it."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _is_in_use(path: Path) -> bool:
    return any(path.with_name(path.name + ending).exists() for ending in _IN_USE)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
