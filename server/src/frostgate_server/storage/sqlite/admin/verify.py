"""Verifies the consistency of a database: hash chains, customers, partners, the head, and heads exported earlier.

An attacker who can write to the file can recompute every hash in it. But they cannot change a head that was exported to
a place that they cannot write to. So the history must contain all exported heads.
"""

from collections.abc import Iterable
from pathlib import Path

from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.storage.backend import DatabaseInconsistent, VerifyResult
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.integrity.whole_file import ensure_whole
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.reading import opened_to_read
from frostgate_server.storage.sqlite.schema.migrations import ensure_schema
from frostgate_server.storage.sqlite.transaction import read_head

from .chains import verify_audit_log, verify_events
from .exported_heads import read_head_file
from .replay import verify_customers, verify_partners


def verify(path: Path, exported: Iterable[Head] = ()) -> VerifyResult:
    """Checks a database for consistency, also while it is served. Writes nothing if no process has it open.

    Raises DatabaseInconsistent, which names the first inconsistency, and StartupError if the database cannot be read.
    """
    ensure_sound()
    path = path.resolve()
    ensure_exists(path)
    remembered = read_head_file(path)
    try:
        ensure_whole(path)
        with opened_to_read(path) as connection:
            ensure_frostgate_database(path, connection)
            connection.execute("BEGIN")
            return verify_content(connection, [*exported, *remembered])
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be read now: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DatabaseInconsistent(str(error)) from error


def verify_content(connection: sqlite3.Connection, heads: Iterable[Head] = ()) -> VerifyResult:
    """As `verify`, for the current state of a connection. Raises DatabaseInconsistent, sqlite3.Error."""
    try:
        return _verified(connection, list(heads))
    except StorageUnavailable as error:
        raise DatabaseInconsistent(error.detail) from error
    except (ValueError, OverflowError, TypeError) as error:
        raise DatabaseInconsistent(f"an invalid value: {error}") from error


def _verified(connection: sqlite3.Connection, heads: list[Head]) -> VerifyResult:
    ensure_schema(connection)
    ((verdict,), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise DatabaseInconsistent(f"the pages: {' '.join(verdict.split())}")
    head = read_head(connection)
    for known in heads:
        if known.database_id != head.database_id:
            raise DatabaseInconsistent(
                f"the database: its id is {head.database_id}, but a known head is of {known.database_id}"
            )
    events = verify_events(connection, head, heads)
    partners, entries = verify_audit_log(connection, head, heads)
    customers = verify_customers(connection, partners)
    verify_partners(connection, partners)
    return VerifyResult(customers, events, entries, head, len(heads))
