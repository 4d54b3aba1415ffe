"""Finds the problems that would prevent a server from opening a database. Changes nothing on disk."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.files.paths import head_path, lock_path
from frostgate_server.storage.sqlite.integrity.history import problems_of_head
from frostgate_server.storage.sqlite.integrity.whole_file import RESTORE
from frostgate_server.storage.sqlite.opening import ensure_frostgate_database
from frostgate_server.storage.sqlite.schema.migrations import ensure_schema
from frostgate_server.storage.sqlite.transaction import read_head

from .exported_heads import read_head_file


def is_reserved(path: Path) -> bool:
    """Whether a server or a command has reserved the database."""
    try:
        lock = os.open(lock_path(path.resolve()), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def find_obstacles(path: Path, *, create: bool) -> Iterator[str]:
    """One line for each problem that would prevent a start, as far as it can be detected without a change on disk.

    With `create`, a new database may be created. Call it while the database is not reserved.
    """
    path = path.resolve()
    try:
        ensure_sound()
        yield from _obstacles_of_place(path, create)
        if path.is_file():
            _ensure_opens(path)
    except (StartupError, OSError) as error:
        yield str(error)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        yield f"database {path} cannot be used: {error}; {RESTORE}"


def _obstacles_of_place(path: Path, create: bool) -> Iterator[str]:
    if path.is_dir():
        yield f"database {path} is a directory: correct --database"
        return
    if not path.exists() and read_head_file(path):
        yield f"database {path} is missing, but {head_path(path).name} beside it is not: {RESTORE}"
    elif not path.exists() and not create:
        yield f"database {path} does not exist: correct --database, or pass --create to make a new one"
        return
    elif path.exists() and path.stat().st_nlink > 1:
        yield f"database {path} has a second name (hard link): remove one of them"
    for file in (path, head_path(path), lock_path(path)):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            yield f"{file} must be readable and writable for this user: correct its permissions"
    yield from _obstacles_of_directory(path.parent)


def _obstacles_of_directory(directory: Path) -> Iterator[str]:
    """Checks the nearest existing directory: the start creates missing directories in it."""
    nearest = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if not nearest.is_dir():
        yield f"directory {directory} cannot be created: {nearest} is not a directory"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield f"directory {nearest} must be writable for this user: correct its permissions"


def _ensure_opens(path: Path) -> None:
    """Raises StartupError, OSError or sqlite3.Error if this version cannot use the database, or changes are lost."""
    with closing(_connect_reading(path)) as connection:
        ensure_frostgate_database(path, connection)
        ensure_schema(connection)
        remembered = next(iter(read_head_file(path)), None)
        for problem in problems_of_head(read_head(connection), remembered):
            raise StartupError(f"database {path} {problem}; {RESTORE}")


def _connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that creates and changes no files.

    If there is a write-ahead log, the connection takes no locks and keeps the index of the log in memory. Otherwise it
    opens the database as immutable.
    """
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    how = "mode=ro&vfs=unix-none" if has_log else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None)
    if has_log:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    return connection
