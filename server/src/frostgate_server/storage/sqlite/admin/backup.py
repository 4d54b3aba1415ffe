"""Backs up a database, also while it is served. The copy is of one revision, and complete without other files."""

import os
from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.integrity.history import ensure_contains
from frostgate_server.storage.sqlite.integrity.whole_file import ensure_whole
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.reading import opened_to_read
from frostgate_server.storage.sqlite.schema.migrations import ensure_schema
from frostgate_server.storage.sqlite.transaction import read_head

from .exported_heads import read_head_file


def backup(path: Path, to: Path) -> int:
    """Writes a copy of the database to a new file, and syncs it to disk. Returns the revision of the copy.

    Raises StartupError if there is no database, if its schema is not a schema of frostgate, if it lacks changes that
    are in its head file, or if the file exists already.
    """
    ensure_sound()
    ensure_exists(path)
    remembered = read_head_file(path.resolve())
    try:
        ensure_whole(path)
        with opened_to_read(path) as connection:
            ensure_frostgate_database(path, connection)
            ensure_schema(connection)
            os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return _copied(connection, to, remembered)
    except StorageUnavailable as error:
        raise StartupError(f"{path} cannot be copied: {error.detail}; check which files were moved") from error
    except FileExistsError:
        raise StartupError(f"{to} exists already: name a new file") from None
    except (sqlite3.Error, OSError) as error:
        raise StartupError(f"database {path} cannot be copied to {to}: {error}") from error


def _copied(connection: sqlite3.Connection, to: Path, remembered: list[Head]) -> int:
    """Copies the database to the empty file. Removes the file if that fails."""
    try:
        connection.execute("VACUUM INTO ?", (str(to.absolute()),))
        with closing(connect(to)) as copy:
            ensure_schema(copy)
            head = read_head(copy)
        for known in remembered:
            ensure_contains(head, known)
        with to.open("rb") as file:
            os.fsync(file.fileno())
        make_name_durable(to)
    except BaseException:
        to.unlink()
        raise
    return head.revision
