"""Runs migrations by a command, after a verified backup. Migrations that read many rows may take long."""

from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import DatabaseInconsistent, MigrateResult
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database, lock_database
from frostgate_server.storage.sqlite.schema.migrations import migrate, pending_migrations

from .backup import backup
from .verify import verify


def migrate_with_backup(path: Path, to: Path) -> MigrateResult:
    """Writes a backup, verifies it, and migrates the database in one transaction. Writes none if nothing is pending.

    Raises StartupError if the database is missing, in use or inconsistent, or if the backup cannot be written. The
    database is then unchanged.
    """
    ensure_sound()
    path = path.resolve()
    ensure_exists(path)
    with closing(lock_database(path, create=False)):
        try:
            with closing(connect(path)) as connection:
                ensure_frostgate_database(path, connection)
                pending = pending_migrations(connection)
                if pending:
                    _back_up(path, to)
                    migrate(connection, by_command=True)
                return MigrateResult(pending)
        except sqlite3.Error as error:
            raise StartupError(f"database {path} cannot be migrated: {error}; it is unchanged") from error


def _back_up(path: Path, to: Path) -> None:
    """Writes and verifies a backup. Removes an inconsistent one."""
    backup(path, to)
    try:
        verify(to)
    except DatabaseInconsistent as error:
        to.unlink()
        raise StartupError(
            f"database {path} is inconsistent: {error}; it is unchanged, and the backup was removed"
        ) from error
