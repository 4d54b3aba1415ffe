"""Taking up a database whose head file disagrees with it: one restored from a backup, or one that lost its tail.

What it holds must be whole in itself. Its revisions go on far beyond any that may have been given out before, so that
none is ever used twice.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent, RecoverResult
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.head_file import REVISION_JUMP, HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.migrations import migrate
from frostgate_server.storage.sqlite.opening import ensure_frostgate_database, lock_database
from frostgate_server.storage.sqlite.paths import head_path

from .verify import verify_content


def recover(path: Path) -> RecoverResult:
    """Checks pages, events and customers, jumps the revision ahead and writes the head file anew.

    The old head file is kept aside. Raises StartupError if the database is missing, in use, or not whole: then neither
    its history nor its head file has changed.
    """
    ensure_sound()
    path = path.resolve()
    if not path.exists():
        raise StartupError(f"database {path} does not exist: restore it from a backup first")
    lock = lock_database(path, create=False)
    try:
        with closing(connect(path)) as connection:
            return _recover(path, connection)
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be used now: {error}; see which other process holds it") from error
    except (DatabaseInconsistent, sqlite3.DatabaseError) as error:
        raise StartupError(f"database {path} is not whole: {error}; restore an older backup") from error
    except OSError as error:
        raise StartupError(f"head file of {path} cannot be written: {error}; mend that and recover again") from error
    finally:
        lock.close()


def _recover(path: Path, connection: sqlite3.Connection) -> RecoverResult:
    ensure_frostgate_database(path, connection)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    verified = verify_content(connection)
    head = verified.head
    revision, sequence = _remembered_place(path)
    floor = max(head.revision, revision) + REVISION_JUMP
    audit_floor = max(head.audit_sequence, sequence) + REVISION_JUMP
    connection.execute("UPDATE head SET revision = ?, audit_sequence = ?", (floor, audit_floor))
    # What was used since must not be good again.
    connection.execute("DELETE FROM verification_codes")
    _write_head_anew(path, replace(head, revision=floor, audit_sequence=audit_floor))
    return RecoverResult(verified.customers, verified.events, head.revision, floor)


def _remembered_place(path: Path) -> tuple[int, int]:
    if not head_path(path).exists():
        return 0, 0
    try:
        with closing(HeadFile(head_path(path))) as head_file:
            return head_file.head.place if head_file.head else (0, 0)
    except HeadFileDamaged:
        return 0, 0


def _write_head_anew(path: Path, head: Head) -> None:
    if head_path(path).exists():
        head_path(path).replace(path.with_name(path.name + "-head-before-recovery"))
    with closing(HeadFile(head_path(path))) as head_file:
        head_file.advance(head)
    make_name_durable(head_path(path))
