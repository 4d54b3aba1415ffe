"""Recovers a database that disagrees with its head file: one that was copied back, or that lost its last changes.

The database must be consistent. The next revision is far above every revision that may have been used, so that no
revision is used twice.
"""

from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent, RecoverResult
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.files.paths import check_path
from frostgate_server.storage.sqlite.integrity.whole_file import ensure_whole
from frostgate_server.storage.sqlite.opening import ensure_frostgate_database, lock_database
from frostgate_server.storage.sqlite.schema.migrations import migrate

from .jumps import jump_ahead
from .verify import verify_content


def recover(path: Path) -> RecoverResult:
    """Checks the database for consistency, jumps the revision ahead and writes a new head file.

    The old head file is renamed. Raises StartupError if the database is missing, in use or inconsistent: then neither
    its history nor its head file has changed.
    """
    ensure_sound()
    path = path.resolve()
    if not path.exists():
        raise StartupError(f"database {path} does not exist: restore it from a backup first")
    lock = lock_database(path, create=False)
    try:
        ensure_whole(path)
        with closing(connect(path)) as connection:
            return _recover(path, connection)
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be used now: {error}; check which other process uses it") from error
    except (DatabaseInconsistent, sqlite3.DatabaseError) as error:
        raise StartupError(f"database {path} is inconsistent: {error}; restore an older backup") from error
    except OSError as error:
        raise StartupError(
            f"head file of {path} cannot be written: {error}; correct this, and run recover again"
        ) from error
    finally:
        lock.close()


def _recover(path: Path, connection: sqlite3.Connection) -> RecoverResult:
    ensure_frostgate_database(path, connection)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    verified = verify_content(connection)
    # The database is consistent, so there are no suspects.
    check_path(path).unlink(missing_ok=True)
    floor = jump_ahead(path, connection, verified.head, "recover")
    return RecoverResult(verified.customers, verified.events, verified.head.revision, floor)
