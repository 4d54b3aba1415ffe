"""Opening a store: sound files only. What is missing, damaged, replaced or cut short is refused, never made anew.

A lost file means that nobody is frozen, so a database is created only where that is asked for, and the head file
beside it must agree with it before anything is served.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import hash_audit_entry, hash_event
from frostgate_server.storage.backend import PreparedDatabase
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.head import Head

from .connections import Connections, FileIdentity, connect, identity
from .driver import ensure_sound, sqlite3
from .head_file import HeadFile, HeadFileDamaged
from .lock_file import DatabaseLock
from .migrations import APPLICATION_ID, migrate
from .paths import head_path
from .row_mapping import ENTRY_COLUMNS, EVENT_COLUMNS, read_entry_row, read_event_row
from .store import SqliteStore
from .transaction import read_head


@dataclass(frozen=True, slots=True)
class PreparedSqliteDatabase(PreparedDatabase):
    """An SQLite file that was found sound, and the identities of it and of its head file."""

    path: Path
    file: FileIdentity
    head_file: FileIdentity


def ensure_exists(path: Path) -> None:
    """Raises StartupError if there is no database: for commands that never make one."""
    if not path.exists():
        raise StartupError(f"database {path} does not exist: correct --database")


def lock_database(path: Path, *, create: bool) -> DatabaseLock:
    """Claims a database for this process, before it is opened. With `create`, its directory is made if need be.

    Raises StartupError if another process serves it, or if it does not exist and is not to be made.
    """
    path = path.resolve()
    if not path.exists() and not head_path(path).exists():
        _ensure_asked_for(path, create)
        _make_directory(path.parent)
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
    """Brings the database's schema up to date, and holds it against its head file.

    With `create`, makes a new one if there is neither a database nor a head file. Several processes may do this at
    once. Raises StartupError, which says what to do next.
    """
    ensure_sound()
    path = path.resolve()
    with closing(_open_head_file(head_path(path))) as head_file, _explained(path):
        with head_file.locked():
            if not path.exists():
                _ensure_never_was(path, head_file.head)
                _ensure_asked_for(path, create)
                _create(path)
            head = _verified(path, head_file)
        make_name_durable(head_path(path))
        return PreparedSqliteDatabase(head.revision, path, identity(path), identity(head_path(path)))


def join_store(
    prepared: PreparedSqliteDatabase, around_group: Callable[[], AbstractContextManager[None]] = nullcontext
) -> SqliteStore:
    """Opens a database that was prepared, also while other processes serve it. Raises StartupError.

    Changes are committed group by group, each within an `around_group()`.
    """
    ensure_sound()
    with ExitStack() as undo, _explained(prepared.path):
        head_file = undo.enter_context(closing(HeadFile(head_path(prepared.path), create=False)))
        if identity(head_path(prepared.path)) != prepared.head_file:
            raise OSError("its -head file was replaced while it was served")
        store = SqliteStore(Connections(prepared.path, prepared.file), head_file, around_group)
        undo.pop_all()
        return store


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raises StartupError, which says what to do next, for errors of SQLite and of the system."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise StartupError(f"database {path} cannot be used now: {error}; {_MEND}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StartupError(f"database {path} cannot be used: {error}; {_RESTORE}") from error


_RESTORE = "restore it from a backup, then run frostgate-server recover --database FILE"

_MEND = "correct its permissions, or see which other process holds it"


def _ensure_asked_for(path: Path, create: bool) -> None:
    if not create:
        raise StartupError(f"database {path} does not exist: correct --database, or pass --create to make a new one")


def _ensure_never_was(path: Path, remembered: Head | None) -> None:
    if remembered is not None:
        raise StartupError(
            f"database {path} is missing, but {head_path(path).name} beside it knows revision {remembered.revision}: "
            f"{_RESTORE}"
        )


def _ensure_ours_alone(path: Path) -> None:
    """A file with two names could be served twice, and one that cannot be written to would refuse every change."""
    if path.is_dir():
        raise StartupError(f"database {path} is a directory: correct --database")
    if path.stat().st_nlink > 1:
        raise StartupError(f"database {path} has another name by a hard link: remove one of them")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StartupError(f"database {path} must be readable and writable for this user: {_MEND}")


def _make_directory(directory: Path) -> None:
    """Makes a directory and those above it, each durable under its name: a lost one would be made anew, and empty."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    try:
        directory.mkdir(exist_ok=True)
        make_name_durable(directory)
    except OSError as error:
        raise StartupError(f"directory {directory} cannot be made: {error.strerror}") from error


def _open_head_file(path: Path) -> HeadFile:
    try:
        return HeadFile(path)
    except HeadFileDamaged as error:
        raise StartupError(f"head file {path} cannot be used: {error}; run frostgate-server recover") from error
    except OSError as error:
        raise StartupError(f"head file {path} cannot be opened: {error.strerror}; {_MEND}") from error


def _create(path: Path) -> None:
    """Makes a database under another name and gives it its own when it is whole, so that no half of one is found."""
    unfinished = path.with_name(path.name + "-new")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(unfinished)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
    unfinished.rename(path)
    make_name_durable(path)


def _verified(path: Path, head_file: HeadFile) -> Head:
    """Where the history stands in a database that is sound."""
    with closing(connect(path)) as connection:
        ensure_frostgate_database(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
        _verify_size(path, connection)
        head = read_head(connection)
        _verify_history(path, connection, head, head_file.head)
    head_file.advance(head)
    return head


def ensure_frostgate_database(path: Path, connection: sqlite3.Connection) -> None:
    """Raises StartupError if the file is an SQLite database, but none of frostgate's. An empty file is one, too."""
    ((application_id,),) = connection.execute("PRAGMA application_id").fetchall()
    if application_id != APPLICATION_ID:
        raise StartupError(f"{path} is not a frostgate database, or cut to nothing: correct --database, or {_RESTORE}")


def _verify_size(path: Path, connection: sqlite3.Connection) -> None:
    """Once the write-ahead log is folded in, the file has all its pages, or was cut short."""
    ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    if not busy and path.stat().st_size < pages * page_size:
        raise StartupError(f"database {path} was cut short: {_RESTORE}")


def _verify_history(path: Path, connection: sqlite3.Connection, head: Head, remembered: Head | None) -> None:
    """The history contains what the head file remembers, and from there on its chain holds up to the head."""
    if remembered is None:
        if head.place > (0, 0):
            raise StartupError(
                f"database {path} is at revision {head.revision}, but its -head file is gone: {_RESTORE}"
            )
        return
    if remembered.database_id != head.database_id:
        raise StartupError(f"database {path} was replaced: its -head file belongs to another one; {_RESTORE}")
    _ensure_no_tail_is_lost(path, head, remembered)
    sql = f"SELECT hash, {EVENT_COLUMNS} FROM events WHERE revision > ? ORDER BY revision"
    hash_ = remembered.hash
    for claimed, *row in connection.execute(sql, (remembered.revision,)).fetchall():
        hash_ = hash_event(hash_, read_event_row(tuple(row)))
        if hash_ != claimed:
            raise StartupError(f"database {path}: event {row[0]} does not follow the one before; {_RESTORE}")
    sql = f"SELECT hash, {ENTRY_COLUMNS} FROM audit_entries WHERE sequence > ? ORDER BY sequence"
    audit_hash = remembered.audit_hash
    for claimed, *row in connection.execute(sql, (remembered.audit_sequence,)).fetchall():
        audit_hash = hash_audit_entry(audit_hash, read_entry_row(tuple(row)))
        if audit_hash != claimed:
            raise StartupError(f"database {path}: audit entry {row[0]} does not follow the one before; {_RESTORE}")
    if (hash_, audit_hash) != (head.hash, head.audit_hash):
        raise StartupError(f"database {path} holds another history than its -head file remembers: {_RESTORE}")


def _ensure_no_tail_is_lost(path: Path, head: Head, remembered: Head) -> None:
    for name, stands, was in (
        ("revision", head.revision, remembered.revision),
        ("audit entry", head.audit_sequence, remembered.audit_sequence),
    ):
        if stands < was:
            raise StartupError(
                f"database {path} lost its tail: it ends at {name} {stands}, but {name} {was} was acknowledged; "
                f"{_RESTORE}"
            )
