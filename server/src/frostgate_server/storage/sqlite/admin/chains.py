"""Verifies the hash chains of events and of audit entries up to the head, and that they contain all known heads."""

from collections import deque

from frostgate_server.domain.hash_chain import GENESIS, hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP
from frostgate_server.storage.sqlite.row_mapping import (
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    Row,
    make_entry_row,
    make_event_row,
    read_entry_row,
    read_event_row,
)

_EVENTS = f"SELECT hash, {EVENT_COLUMNS} FROM events ORDER BY revision"
_ENTRIES = f"SELECT hash, {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence"


def verify_events(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> int:
    """Verifies that every event is chained to the one before, up to the head, and that the chain contains all `heads`.

    Returns the number of events. Raises DatabaseInconsistent.
    """
    chain = _Chain("event", "revision", [(known.revision, known.hash) for known in heads])
    for claimed, *row in connection.execute(_EVENTS):
        event = read_event_row(tuple(row))
        _ensure_plain("event", tuple(row), make_event_row(event))
        chain.follow(event.revision, claimed, hash_event(chain.hash, event))
    chain.end(head.revision, head.hash)
    return chain.count


def verify_audit_log(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> tuple[dict[str, Partner], int]:
    """Verifies the audit log in the same way. Returns the partners as its entries define them, and the entry count."""
    chain = _Chain("audit entry", "entry", [(known.audit_sequence, known.audit_hash) for known in heads])
    partners = {}
    for claimed, *row in connection.execute(_ENTRIES):
        entry = read_entry_row(tuple(row))
        _ensure_plain("audit entry", tuple(row), make_entry_row(entry))
        chain.follow(entry.sequence, claimed, hash_audit_entry(chain.hash, entry))
        if entry.note.partner:
            partners[entry.note.partner.partner_id] = entry.note.partner
    chain.end(head.audit_sequence, head.audit_hash)
    return partners, chain.count


def _ensure_plain(link: str, stored: Row, made: Row) -> None:
    """Raises DatabaseInconsistent if a row has values that frostgate does not write, but reads as the same values.

    The hash does not detect this.
    """
    if stored != made:
        raise DatabaseInconsistent(f"{link} {stored[0]}: it has a value that frostgate does not write")


class _Chain:
    """Verifies a hash chain, link by link. `heads` are the known heads as (number, hash)."""

    def __init__(self, link: str, number: str, heads: list[tuple[int, str]]) -> None:
        self.hash = GENESIS
        self.count = 0
        self._link = link
        self._number = number
        self._last = 0
        self._expected = deque(sorted(heads))

    def follow(self, number: int, claimed: str, made: str) -> None:
        """Verifies the next link: `claimed` is its stored hash, and `made` the computed one.

        Raises DatabaseInconsistent if they differ, or if its number is not the next one. Only a recovery leaves a gap.
        """
        self._pass_heads_before(number)
        if not (number == self._last + 1 or number > self._last + REVISION_JUMP):
            raise DatabaseInconsistent(f"{self._link} {number}: it follows {self._last}, so numbers are missing")
        if made != claimed:
            raise DatabaseInconsistent(
                f"{self._link} {number}: its hash does not match its content and the hash of the {self._link} before"
            )
        self.hash, self._last, self.count = made, number, self.count + 1

    def end(self, number: int, hash_: str) -> None:
        """Raises DatabaseInconsistent unless the chain ends at the database's head and contains all known heads."""
        if self.hash != hash_ or not (number == self._last or number >= self._last + REVISION_JUMP):
            raise DatabaseInconsistent(
                f"the head: {self._number} {number} does not match the last {self._link}, {self._last}"
            )
        self._pass_heads_before(number + 1)
        if self._expected:
            was, _ = self._expected[0]
            raise DatabaseInconsistent(f"the history: it ends at {self._number} {number}, but a known head is at {was}")

    def _pass_heads_before(self, next_number: int) -> None:
        """Verifies the known heads before this number: they must have the hash of the last link."""
        while self._expected and self._expected[0][0] < next_number:
            number, hash_ = self._expected.popleft()
            if hash_ != self.hash:
                raise DatabaseInconsistent(f"the history: {self._number} {number} differs from a known head")
