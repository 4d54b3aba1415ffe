"""Reads the audit log directly from the database, also while it is served."""

from collections.abc import Iterator
from pathlib import Path

from frostgate_server.domain.audit_entry import AuditEntry
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.integrity.whole_file import ensure_whole
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.reading import opened_to_read
from frostgate_server.storage.sqlite.row_mapping import ENTRY_COLUMNS, read_entry_row
from frostgate_server.storage.sqlite.schema.migrations import ensure_schema

_AT_ONCE = 1000
_ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM audit_entries WHERE sequence > ? ORDER BY sequence LIMIT ?"


def audit_entries(path: Path, after: int) -> Iterator[AuditEntry]:
    """The entries with numbers above `after`, in order. Raises StartupError if they cannot be read."""
    ensure_sound()
    ensure_exists(path)
    try:
        ensure_whole(path)
        with opened_to_read(path) as connection:
            ensure_frostgate_database(path, connection)
            ensure_schema(connection)
            while rows := connection.execute(_ENTRIES, (after, _AT_ONCE)).fetchall():
                yield from map(read_entry_row, rows)
                after = rows[-1][0]
    except (sqlite3.Error, ValueError, OverflowError, TypeError) as error:
        raise StartupError(f"database {path} cannot be read: {error}") from error
