"""Consistent reads of one committed state."""

from collections.abc import Iterator
from contextlib import contextmanager

from frostgate_server.storage.sqlite.driver import sqlite3


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads in the block see the same state. Keep the block short, as the -wal file cannot be reset meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
