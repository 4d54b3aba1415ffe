"""The chains of a database: every event and every audit entry follows the one before, up to the head, and through all
heads that are known.
"""

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
    """Every event is chained to the one before, the last is the head, and the history went through all known heads.

    Gives how many events there are. Raises DatabaseInconsistent, as `verify_audit_log` does.
    """
    chain = _Chain("event", "revision", [(known.revision, known.hash) for known in heads])
    for claimed, *row in connection.execute(_EVENTS):
        event = read_event_row(tuple(row))
        _ensure_plain("event", tuple(row), make_event_row(event))
        chain.follow(event.revision, claimed, hash_event(chain.hash, event))
    chain.end(head.revision, head.hash)
    return chain.count


def verify_audit_log(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> tuple[dict[str, Partner], int]:
    """The same of the audit log. Gives what its entries make of partners, and how many entries there are."""
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
    """A row is stored as it is written: other values, read as the same, would have the same hash."""
    if stored != made:
        raise DatabaseInconsistent(f"{link} {stored[0]}: a value that frostgate does not write")


class _Chain:
    """A chain of hashes as far as it was followed, through all of its heads that are known: (number, hash)."""

    def __init__(self, link: str, number: str, heads: list[tuple[int, str]]) -> None:
        self.hash = GENESIS
        self.count = 0
        self._link = link
        self._number = number
        self._last = 0
        self._expected = deque(sorted(heads))

    def follow(self, number: int, claimed: str, made: str) -> None:
        """Goes on to the next link. Raises DatabaseInconsistent unless the hash it claims is the one that it makes, and
        its number is the next one: only recovery leaves a gap."""
        self._pass_heads_before(number)
        if not (number == self._last + 1 or number > self._last + REVISION_JUMP):
            raise DatabaseInconsistent(
                f"{self._link} {number}: it stands behind {self._last}, and must have the next number"
            )
        if made != claimed:
            raise DatabaseInconsistent(
                f"{self._link} {number}: its hash does not follow from it and the {self._link} before"
            )
        self.hash, self._last, self.count = made, number, self.count + 1

    def end(self, number: int, hash_: str) -> None:
        """Raises DatabaseInconsistent unless the chain ends at the database's head and contains all known heads."""
        if self.hash != hash_ or not (number == self._last or number >= self._last + REVISION_JUMP):
            raise DatabaseInconsistent(
                f"the head: {self._number} {number} does not stand where the last {self._link}, {self._last}, ends"
            )
        self._pass_heads_before(number + 1)
        if self._expected:
            was, _ = self._expected[0]
            raise DatabaseInconsistent(f"the history: it ends at {self._number} {number}, but {was} was there")

    def _pass_heads_before(self, next_number: int) -> None:
        """Until the next link the chain stands at one hash."""
        while self._expected and self._expected[0][0] < next_number:
            number, hash_ = self._expected.popleft()
            if hash_ != self.hash:
                raise DatabaseInconsistent(f"the history: {self._number} {number} is not the one that was there before")
