"""What may fail in a call of SQLite or of the system, in the words of the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from frostgate_server.domain.errors import CallerCancelled, StorageUnavailable

from .driver import sqlite3


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raises StorageUnavailable for every error of SQLite and of the system.

    Raises CallerCancelled for a read that was stopped because it is not wanted any more.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise CallerCancelled from error
        raise StorageUnavailable(str(error)) from error
