"""Opens a store. Files that are missing, damaged, replaced or truncated are refused. They are never created again.

In an empty database no customer is frozen. So a database is created only on request, and the head file beside it must
agree with it before the server answers calls.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.backend import PreparedDatabase
from frostgate_server.storage.durable_names import make_directory, make_name_durable
from frostgate_server.storage.head import Head

from .connections import Connections, connect, connect_to_read
from .driver import ensure_sound, sqlite3
from .files.disk_room import NO_ROOM, make_room_to_read, take_back_reserve
from .files.head_file import HeadFile, HeadFileDamaged
from .files.identities import FileIdentities, FilesChanged, ServedFiles, identities
from .files.lock_file import DatabaseLock
from .files.paths import check_path, head_path
from .integrity.history import problems_of_head, problems_of_tail
from .integrity.report_file import Suspects
from .integrity.whole_file import RESTORE, ensure_whole
from .schema.comparison import ExpectedSchema
from .schema.migrations import APPLICATION_ID, expected_schema, migrate
from .store import SqliteStore
from .transaction import read_head


@dataclass(frozen=True, slots=True)
class PreparedSqliteDatabase(PreparedDatabase):
    """A checked SQLite file.

    `files` are the identities of files of the database that must not be replaced. `schema` must not change either, so
    a process that joins does not need the migrations.
    """

    path: Path
    files: FileIdentities
    schema: ExpectedSchema


def ensure_exists(path: Path) -> None:
    """Raises StartupError if there is no database. For commands that never create one."""
    if not path.exists():
        raise StartupError(f"database {path} does not exist: correct --database")


def lock_database(path: Path, *, create: bool) -> DatabaseLock:
    """Locks a database for this process, before it is opened. With `create`, creates its directory if necessary.

    Raises StartupError if another process serves it, or if it does not exist and `create` is false.
    """
    path = path.resolve()
    if not path.exists() and not head_path(path).exists():
        _ensure_asked_for(path, create)
        make_directory(path.parent)
    if path.exists():
        _ensure_ours_alone(path)
    try:
        return DatabaseLock(path)
    except OSError as error:
        raise StartupError(f"database {path} cannot be locked: {error}") from error


def open_store(path: Path, *, create: bool) -> SqliteStore:
    """Prepares a database and joins it at once. Raises StartupError."""
    return join_store(prepare_store(path, create=create))


def prepare_store(path: Path, *, create: bool) -> PreparedSqliteDatabase:
    """Migrates the schema of a database, and verifies the database against its head file.

    With `create`, creates a database if there is neither a database nor a head file. Several processes may do this at
    once. Raises StartupError, which says what to do next.
    """
    ensure_sound()
    path = path.resolve()
    make_room_to_read(path)
    with closing(_open_head_file(head_path(path))) as head_file, _explained(path):
        with head_file.locked():
            if not path.exists():
                _ensure_never_was(path, head_file.head)
                _ensure_asked_for(path, create)
                _create(path)
            _examine(path, head_file.head)
            head = _verified(path, head_file)
        make_name_durable(head_path(path))
        return PreparedSqliteDatabase(head.revision, path, identities(path, ("", "-head")), expected_schema())


@contextmanager
def hold_files(prepared: PreparedSqliteDatabase) -> Iterator[PreparedSqliteDatabase]:
    """Implements backend.Backend.hold. SQLite deletes -wal and -shm with the last connection, so one is kept open."""
    with _explained(prepared.path):
        files = ServedFiles(prepared.path, prepared.files)
        connections = Connections(files, prepared.schema)
        connections.open()
    take_back_reserve(prepared.path)
    try:
        yield replace(prepared, files=files.known)
    finally:
        connections.close()


def join_store(
    prepared: PreparedSqliteDatabase, around_group: Callable[[], AbstractContextManager[None]] = nullcontext
) -> SqliteStore:
    """Opens a prepared database, also while other processes serve it. Raises StartupError.

    Changes are committed group by group, each within an `around_group()`.
    """
    ensure_sound()
    path, files = prepared.path, ServedFiles(prepared.path, prepared.files)
    with ExitStack() as undo, _explained(path):
        files.ensure_same()
        head_file = undo.enter_context(closing(HeadFile(head_path(path), create=False)))
        connections = Connections(files, prepared.schema)
        undo.callback(connections.close)
        store = SqliteStore(connections, head_file, Suspects(check_path(path)), around_group)
        undo.pop_all()
        return store


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raises StartupError, which says what to do next, for errors of SQLite and of the operating system."""
    try:
        yield
    except StorageUnavailable as error:
        raise StartupError(f"database {path} cannot be used: {error.detail}; {RESTORE}") from error
    except FilesChanged as error:
        raise StartupError(
            f"database {path} cannot be opened by a worker: {error}; stop the server, and start it again"
        ) from error
    except (sqlite3.OperationalError, OSError) as error:
        mend = "free space on its disk" if _is_for_room(error) else _MEND
        raise StartupError(f"database {path} cannot be used now: {error}; {mend}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StartupError(f"database {path} cannot be used: {error}; {RESTORE}") from error


_MEND = "correct its permissions, or check which other process uses it"

_NO_ROOM_OF_SQLITE = {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}


def _is_for_room(error: Exception) -> bool:
    """Whether the cause is a full disk."""
    return getattr(error, "errno", None) in NO_ROOM or getattr(error, "sqlite_errorname", "") in _NO_ROOM_OF_SQLITE


def _ensure_asked_for(path: Path, create: bool) -> None:
    if not create:
        raise StartupError(f"database {path} does not exist: correct --database, or pass --create to make a new one")


def _ensure_never_was(path: Path, remembered: Head | None) -> None:
    if remembered is not None:
        raise StartupError(
            f"database {path} is missing, but {head_path(path).name} beside it has revision {remembered.revision}: "
            f"{RESTORE}"
        )


def _ensure_ours_alone(path: Path) -> None:
    """Raises StartupError if the file has a second name, as it could be served twice, or if it is not writable."""
    if path.is_dir():
        raise StartupError(f"database {path} is a directory: correct --database")
    if path.stat().st_nlink > 1:
        raise StartupError(f"database {path} has a second name (hard link): remove one of them")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StartupError(f"database {path} must be readable and writable for this user: {_MEND}")


def _open_head_file(path: Path) -> HeadFile:
    try:
        return HeadFile(path)
    except HeadFileDamaged as error:
        raise StartupError(f"head file {path} cannot be used: {error}; run frostgate-server recover") from error
    except OSError as error:
        raise StartupError(f"head file {path} cannot be opened: {error.strerror or error}; {_MEND}") from error


def _create(path: Path) -> None:
    """Creates a database under another name, and renames it once it is complete."""
    unfinished = path.with_name(path.name + "-new")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(unfinished)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
    unfinished.rename(path)
    make_name_durable(path)


def _examine(path: Path, remembered: Head | None) -> None:
    """Checks the database before anything is written, so that a refused database and its -wal file do not change."""
    ensure_whole(path)
    with closing(connect_to_read(path)) as connection:
        ensure_frostgate_database(path, connection)
        _refuse(path, problems_of_head(read_head(connection), remembered))


def _verified(path: Path, head_file: HeadFile) -> Head:
    """Migrates a database, verifies its history, and returns its head."""
    with closing(connect(path)) as connection:
        ensure_frostgate_database(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
        head = read_head(connection)
        _verify_history(path, connection, head, head_file.head)
    head_file.advance(head)
    return head


def ensure_frostgate_database(path: Path, connection: sqlite3.Connection) -> None:
    """Raises StartupError if the file is an SQLite database of another application, or an empty file."""
    ((application_id,),) = connection.execute("PRAGMA application_id").fetchall()
    if application_id != APPLICATION_ID:
        raise StartupError(f"{path} is not a frostgate database, or was truncated: correct --database, or {RESTORE}")


def _verify_history(path: Path, connection: sqlite3.Connection, head: Head, remembered: Head | None) -> None:
    """Raises StartupError unless the history contains the head in the head file, and its chain is valid after it."""
    _refuse(path, problems_of_head(head, remembered))
    if remembered is not None:
        _refuse(path, problems_of_tail(connection, head, remembered))


def _refuse(path: Path, problems: Iterator[str]) -> None:
    """Raises StartupError with the first problem, if there is one."""
    for problem in problems:
        raise StartupError(f"database {path} {problem}; {RESTORE}")
