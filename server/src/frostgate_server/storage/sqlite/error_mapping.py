"""What may fail in a call of SQLite or of the system, in the words of the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from frostgate_server.domain.errors import StorageUnavailable

from .driver import sqlite3


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raises StorageUnavailable for every error of SQLite and of the system."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(str(error)) from error
