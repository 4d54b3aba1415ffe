"""Maps errors of SQLite and of the operating system to errors of the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from frostgate_server.domain.errors import CallerCancelled, StorageUnavailable

from .driver import sqlite3


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raises StorageUnavailable for every error of SQLite and of the operating system.

    Raises CallerCancelled for a read that was interrupted because it is no longer wanted.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise CallerCancelled from error
        raise StorageUnavailable(str(error)) from error
