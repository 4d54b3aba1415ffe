"""Taking up a database whose head file disagrees with it: one restored from a backup, or one that lost its tail.

What it holds must be whole in itself. Its revisions go on far beyond any that may have been given out before, so that
none is ever used twice.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from frostgate_server.errors import StartupError, StorageUnavailable
from frostgate_server.event_chain import GENESIS, chained

from .connections import connect
from .head_file import Head, HeadFile, HeadFileDamaged
from .library import ensure_sound, sqlite3
from .migrations import migrate
from .opening import claim_database, ensure_frostgates, head_path, make_name_durable
from .rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, customer_of, event_of
from .transaction import read_head

REVISION_JUMP = 10**9

_CUSTOMERS_UNLIKE_THEIR_EVENTS = """
    WITH last AS (SELECT customer_id, max(revision) AS revision FROM events GROUP BY customer_id)
    SELECT last.customer_id
    FROM last JOIN events USING (revision) LEFT JOIN customers ON customers.customer_id = last.customer_id
    WHERE events.state_after IS NOT customers.freeze_state
        OR customers.freeze_state IS NOT NULL AND customers.revision IS NOT last.revision
    UNION ALL
    SELECT customer_id FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM events)
    LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a database holds, the last revision of its history, and the one from which it goes on."""

    customers: int
    events: int
    last_revision: int
    floor: int


def recover(path: Path) -> Recovered:
    """Checks pages, events and customers, jumps the revision ahead and writes the head file anew.

    The old head file is kept aside. Raises StartupError if the database is missing, in use, or not whole: then neither
    its history nor its head file has changed.
    """
    ensure_sound()
    path = path.resolve()
    if not path.exists():
        raise StartupError(f"database {path} does not exist: restore it from a backup first")
    claim = claim_database(path, create=False)
    try:
        with closing(connect(path)) as connection:
            return _recover(path, connection)
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be used now: {error}; see which other process holds it") from error
    except (sqlite3.DatabaseError, StorageUnavailable) as error:
        detail = error.detail if isinstance(error, StorageUnavailable) else str(error)
        raise StartupError(f"database {path} is not whole: {detail}; restore an older backup") from error
    except OSError as error:
        raise StartupError(f"head file of {path} cannot be written: {error}; mend that and recover again") from error
    finally:
        claim.close()


def _recover(path: Path, connection: sqlite3.Connection) -> Recovered:
    ensure_frostgates(path, connection)
    ((verdict,), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise StartupError(f"database {path} is not whole: {verdict}; restore an older backup")
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    head = read_head(connection)
    events = _verified_events(path, connection, head)
    customers = len([customer_of(row) for row in connection.execute(f"SELECT {CUSTOMER_COLUMNS} FROM customers")])
    _verify_customers(path, connection)
    floor = max(head.revision, _remembered_revision(path)) + REVISION_JUMP
    connection.execute("UPDATE head SET revision = ?", (floor,))
    _write_head_anew(path, Head(head.database_id, floor, head.hash))
    return Recovered(customers, events, head.revision, floor)


def _verified_events(path: Path, connection: sqlite3.Connection, head: Head) -> int:
    hash_, events = GENESIS, 0
    for claimed, *row in connection.execute(f"SELECT hash, {EVENT_COLUMNS} FROM events ORDER BY revision"):
        hash_, events = chained(hash_, event_of(tuple(row))), events + 1
        if hash_ != claimed:
            raise StartupError(f"database {path} is not whole: event {row[0]} does not follow the one before")
    if hash_ != head.hash:
        raise StartupError(f"database {path} is not whole: its history ends before its head, revision {head.revision}")
    return events


def _verify_customers(path: Path, connection: sqlite3.Connection) -> None:
    """Each customer is as its last event left it."""
    for (customer_id,) in connection.execute(_CUSTOMERS_UNLIKE_THEIR_EVENTS).fetchall():
        raise StartupError(f"database {path} is not whole: customer {customer_id} is not as its last event left it")


def _remembered_revision(path: Path) -> int:
    if not head_path(path).exists():
        return 0
    try:
        with closing(HeadFile(head_path(path))) as head_file:
            return head_file.head.revision if head_file.head else 0
    except HeadFileDamaged:
        return 0


def _write_head_anew(path: Path, head: Head) -> None:
    if head_path(path).exists():
        head_path(path).replace(path.with_name(path.name + "-head-before-recovery"))
    with closing(HeadFile(head_path(path))) as head_file:
        head_file.advance(head)
    make_name_durable(head_path(path))
