"""Restores a backup to a new database. The backup is only read, and can be restored again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent, RecoverResult
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.opening import ensure_frostgate_database, lock_database
from frostgate_server.storage.sqlite.schema.migrations import migrate

from .jumps import jump_ahead
from .verify import verify_content

_SQLITE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite would use as a part of the new database."""


def restore(backup: Path, path: Path) -> RecoverResult:
    """Copies a backup to a new database, checks the copy, migrates it, jumps its revision ahead and writes its head.

    The head file of the previous database may exist: its revision is taken into account. Raises StartupError if a file
    of the new database exists already, or if the backup is inconsistent. No database is left then.
    """
    ensure_sound()
    path = path.resolve()
    _ensure_whole_by_itself(backup)
    _ensure_free(path)
    lock = lock_database(path, create=True)
    try:
        with _unfinished_copy(backup, path) as copy:
            restored = _take_up(backup, copy, path)
            copy.rename(path)
        make_name_durable(path)
        return restored
    except (sqlite3.OperationalError, OSError) as error:
        raise StartupError(f"backup {backup} cannot be restored to {path}: {error}") from error
    except (DatabaseInconsistent, sqlite3.DatabaseError) as error:
        raise StartupError(f"backup {backup} is inconsistent: {error}; restore another one") from error
    finally:
        lock.close()


def _ensure_whole_by_itself(backup: Path) -> None:
    if not backup.exists():
        raise StartupError(f"backup {backup} does not exist: correct its name")
    wal = backup.with_name(backup.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StartupError(
            f"{backup} is not a backup, because changes are in {wal.name} beside it: "
            "make one with frostgate-server backup"
        )


def _ensure_free(path: Path) -> None:
    for ending in ("", *_SQLITE_FILES):
        if (found := path.with_name(path.name + ending)).exists():
            raise StartupError(
                f"{found} exists already: name a new database, or stop the server and move the database aside with "
                "its -wal and -shm files, but not its -head file"
            )


@contextmanager
def _unfinished_copy(backup: Path, path: Path) -> Iterator[Path]:
    """A copy under another name, so that no incomplete database is found. It is removed unless it was renamed."""
    copy = path.with_name(path.name + "-new")
    _remove(copy)
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        shutil.copyfile(backup, copy)
        yield copy
    finally:
        _remove(copy)


def _remove(copy: Path) -> None:
    for ending in ("", *_SQLITE_FILES):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _take_up(backup: Path, copy: Path, path: Path) -> RecoverResult:
    """Makes a database of the copy. Writes the head file first, so that the database never exists without it."""
    with closing(connect(copy)) as connection:
        ensure_frostgate_database(backup, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        verified = verify_content(connection)
        migrate(connection, by_command=True)
        floor = jump_ahead(path, connection, verified.head, "restore")
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    return RecoverResult(verified.customers, verified.events, verified.head.revision, floor)
