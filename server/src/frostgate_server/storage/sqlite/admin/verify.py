"""Whether a database tells one story: its events and audit entries in their chains, its customers and partners, its
head, and heads exported earlier.

Whoever can write to the file can recompute every hash in it. What they cannot change is a head that was exported to a
place of which they know nothing: it must be found in the history again.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from frostgate_server.domain.customer import Customer, FreezeEvent, replay_event
from frostgate_server.domain.enums import FreezeEventAction
from frostgate_server.domain.errors import StartupError, StorageUnavailable
from frostgate_server.domain.hash_chain import GENESIS, hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.backend import DatabaseInconsistent, VerifyResult
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.admin.exported_heads import read_head_file
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.head_file import REVISION_JUMP
from frostgate_server.storage.sqlite.migrations import migrate
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.row_mapping import (
    CUSTOMER_COLUMNS,
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    PARTNER_COLUMNS,
    Row,
    read_customer_row,
    read_entry_row,
    read_event_row,
    read_partner_row,
)
from frostgate_server.storage.sqlite.transaction import read_head

_EVENTS = f"SELECT hash, {EVENT_COLUMNS} FROM events ORDER BY revision"
_EVENTS_BY_CUSTOMER = f"SELECT {EVENT_COLUMNS} FROM events ORDER BY customer_id, revision"
_ENTRIES = f"SELECT hash, {ENTRY_COLUMNS} FROM audit_entries ORDER BY sequence"
_PARTNERS = f"SELECT {PARTNER_COLUMNS} FROM partners ORDER BY partner_id"
_CUSTOMERS = f"SELECT {CUSTOMER_COLUMNS} FROM customers ORDER BY customer_id"
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"


def verify(path: Path, exported: Iterable[Head] = ()) -> VerifyResult:
    """Holds everything in a database against everything else, also while it is served.

    Raises DatabaseInconsistent, which names the first thing that does not fit, and StartupError if nothing can be read.
    """
    ensure_sound()
    path = path.resolve()
    ensure_exists(path)
    remembered = read_head_file(path)
    try:
        with closing(connect(path)) as connection:
            ensure_frostgate_database(path, connection)
            connection.execute("BEGIN")
            return verify_content(connection, [*exported, *remembered])
    except sqlite3.OperationalError as error:
        raise StartupError(f"database {path} cannot be read now: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DatabaseInconsistent(str(error)) from error


def verify_content(connection: sqlite3.Connection, heads: Iterable[Head] = ()) -> VerifyResult:
    """As `verify`, for what a connection sees. Raises DatabaseInconsistent, sqlite3.Error."""
    try:
        return _verified(connection, list(heads))
    except StorageUnavailable as error:
        raise DatabaseInconsistent(error.detail) from error
    except (ValueError, OverflowError, TypeError) as error:
        raise DatabaseInconsistent(f"a value that cannot be: {error}") from error


def _verified(connection: sqlite3.Connection, heads: list[Head]) -> VerifyResult:
    ((verdict,), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise DatabaseInconsistent(f"the pages: {verdict}")
    _verify_schema(connection)
    head = read_head(connection)
    for known in heads:
        if known.database_id != head.database_id:
            raise DatabaseInconsistent(
                f"the database: it is {head.database_id}, but a head of {known.database_id} is known"
            )
    events = _verify_chain(connection, head, heads)
    partners, entries = _verify_audit_log(connection, head, heads)
    customers = _verify_customers(connection, partners)
    _verify_partners(connection, partners)
    return VerifyResult(customers, events, entries, head, len(heads))


def _verify_schema(connection: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sound:
        migrate(sound)
        expected = sound.execute(_SCHEMA).fetchall()
    found = connection.execute(_SCHEMA).fetchall()
    for row in [*expected, *found]:
        if row not in found or row not in expected:
            raise DatabaseInconsistent(f"the schema: {row[0]} {row[1]} is not as frostgate made it")


def _verify_chain(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> int:
    """Every event is chained to the one before, the last is the head, and the history went through all known heads."""
    chain = _Chain("event", "revision", [(known.revision, known.hash) for known in heads])
    for claimed, *row in connection.execute(_EVENTS):
        chain.follow(row[0], claimed, hash_event(chain.hash, read_event_row(tuple(row))))
    chain.end(head.revision, head.hash)
    return chain.count


def _verify_audit_log(connection: sqlite3.Connection, head: Head, heads: list[Head]) -> tuple[dict[str, Partner], int]:
    """The same of the audit log. Gives what its entries make of partners, and how many entries there are."""
    chain = _Chain("audit entry", "entry", [(known.audit_sequence, known.audit_hash) for known in heads])
    partners = {}
    for claimed, *row in connection.execute(_ENTRIES):
        entry = read_entry_row(tuple(row))
        chain.follow(row[0], claimed, hash_audit_entry(chain.hash, entry))
        if entry.note.partner:
            partners[entry.note.partner.partner_id] = entry.note.partner
    chain.end(head.audit_sequence, head.audit_hash)
    return partners, chain.count


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
        """Goes on to the next link. Raises DatabaseInconsistent unless the hash it claims is the one that it makes."""
        self._pass_heads_before(number)
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


def _verify_customers(connection: sqlite3.Connection, partners: dict[str, Partner]) -> int:
    """Every customer is what its events make of it. Gives how many there are; adds partners that they were given."""
    rows = map(read_customer_row, connection.execute(_CUSTOMERS))
    row = next(rows, None)
    count = 0
    for customer_id, events in _histories(connection):
        made = None
        for event in events:
            made = _replayed(made, event)
            if event.action is FreezeEventAction.ASSOCIATED:
                partners.setdefault(event.partner_id, Partner(event.partner_id))
        if made is None:
            continue
        _ensure_same(made, row, customer_id)
        row, count = next(rows, None), count + 1
    if row is not None:
        raise DatabaseInconsistent(f"customer {row.customer_id}: no event tells of it")
    return count


def _verify_partners(connection: sqlite3.Connection, made: dict[str, Partner]) -> None:
    """Every partner is what the audit log and its customers make of it."""
    found = {partner.partner_id: partner for partner in map(read_partner_row, connection.execute(_PARTNERS))}
    for partner_id in sorted({*found, *made}):
        if found.get(partner_id) != made.get(partner_id):
            raise DatabaseInconsistent(
                f"partner {partner_id}: it is not what the audit log and its customers make of it"
            )


def _histories(connection: sqlite3.Connection) -> Iterator[tuple[str, Iterator[FreezeEvent]]]:
    events: Iterator[Row] = connection.execute(_EVENTS_BY_CUSTOMER)
    return groupby(map(read_event_row, events), key=lambda event: event.customer_id)


def _replayed(made: Customer | None, event: FreezeEvent) -> Customer | None:
    try:
        return replay_event(made, event)
    except ValueError as error:
        raise DatabaseInconsistent(f"event {event.revision}: {error}") from error


def _ensure_same(made: Customer, row: Customer | None, customer_id: str) -> None:
    if row is None or row.customer_id > customer_id:
        raise DatabaseInconsistent(f"customer {customer_id}: it is missing, though its events do not end it")
    if row.customer_id < customer_id:
        raise DatabaseInconsistent(f"customer {row.customer_id}: no event tells of it")
    for field in Customer.__slots__:
        if getattr(row, field) != getattr(made, field):
            raise DatabaseInconsistent(f"customer {customer_id}: its {field} is not what its events make of it")
