"""Checks whether the history of a database contains the head in its head file."""

from collections.abc import Iterator

from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.hash_chain import hash_audit_entry, hash_event
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import ENTRY_COLUMNS, EVENT_COLUMNS, read_entry_row, read_event_row

_EVENTS = f"SELECT hash, {EVENT_COLUMNS} FROM events WHERE revision > ? ORDER BY revision"
_ENTRIES = f"SELECT hash, {ENTRY_COLUMNS} FROM audit_entries WHERE sequence > ? ORDER BY sequence"


def ensure_contains(head: Head, remembered: Head | None) -> None:
    """Raises StorageUnavailable if a database at `head` is not the database of its head file, or lost its last changes.

    This is checked before each group of changes. The head file is written after each commit, so an intact database is
    never behind it.
    """
    for problem in problems_of_head(head, remembered):
        raise StorageUnavailable(f"the database {problem}")


def problems_of_head(head: Head, remembered: Head | None) -> Iterator[str]:
    """The reasons why a database at `head` is not the database of its head file. "The database" precedes each text."""
    if remembered is None:
        if head.place > (0, 0):
            yield f"is at revision {head.revision}, but its -head file is missing"
        return
    if remembered.database_id != head.database_id:
        yield "was replaced: its -head file belongs to another one"
    for name, stands, was in (
        ("revision", head.revision, remembered.revision),
        ("audit entry", head.audit_sequence, remembered.audit_sequence),
    ):
        if stands < was:
            yield f"lost its last changes: it ends at {name} {stands}, but {name} {was} was acknowledged"
    for stands, was, hash_, was_hash in (
        (head.revision, remembered.revision, head.hash, remembered.hash),
        (head.audit_sequence, remembered.audit_sequence, head.audit_hash, remembered.audit_hash),
    ):
        if stands == was and hash_ != was_hash:
            yield "has another history than its -head file"


def problems_of_tail(connection: sqlite3.Connection, head: Head, remembered: Head) -> Iterator[str]:
    """The reasons why the chain from the remembered head to `head` is invalid, as in `problems_of_head`."""
    hash_ = remembered.hash
    for claimed, *row in connection.execute(_EVENTS, (remembered.revision,)).fetchall():
        hash_ = hash_event(hash_, read_event_row(tuple(row)))
        if hash_ != claimed:
            yield f"is damaged: the hash of event {row[0]} does not match its content and the event before"
    audit_hash = remembered.audit_hash
    for claimed, *row in connection.execute(_ENTRIES, (remembered.audit_sequence,)).fetchall():
        audit_hash = hash_audit_entry(audit_hash, read_entry_row(tuple(row)))
        if audit_hash != claimed:
            yield f"is damaged: the hash of audit entry {row[0]} does not match its content and the entry before"
    if (hash_, audit_hash) != (head.hash, head.audit_hash):
        yield "has another history than its -head file"
