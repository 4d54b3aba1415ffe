"""A change in the making: interface.Transaction on an SQLite connection that has begun one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from frostgate_server.domain.audit_entry import AuditEntry, AuditNote
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.hash_chain import hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import WINDOW, SentCode
from frostgate_server.storage.head import Head
from frostgate_server.storage.queries import CountKind, RequestKey, StoredResponse

from .driver import sqlite3
from .row_mapping import (
    CODE_COLUMNS,
    CUSTOMER_COLUMNS,
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    PARTNER_COLUMNS,
    from_microseconds,
    make_customer_row,
    make_entry_row,
    make_event_row,
    make_partner_row,
    read_code_row,
    read_customer_row,
    read_partner_row,
    to_microseconds,
)

ANSWERS_KEPT = timedelta(hours=24)
_ANSWERS_DROPPED_FOR_ONE = 16
"""More than one is dropped for each that is kept, so that a heap of old ones melts."""

_HEAD = "SELECT database_id, revision, hash, audit_sequence, audit_hash FROM head"
_PUT_HEAD = "UPDATE head SET revision = ?, hash = ?, audit_sequence = ?, audit_hash = ?"
_CUSTOMER = f"SELECT {CUSTOMER_COLUMNS} FROM customers WHERE customer_id = ?"
_PUT_CUSTOMER = (
    f"INSERT INTO customers ({CUSTOMER_COLUMNS}) VALUES ({', '.join('?' * 10)}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in CUSTOMER_COLUMNS.split(", ")[1:])
)
_PARTNER = f"SELECT {PARTNER_COLUMNS} FROM partners WHERE partner_id = ?"
_APPEND_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}, hash) VALUES ({', '.join('?' * 13)})"
_APPEND_ENTRY = f"INSERT INTO audit_entries ({ENTRY_COLUMNS}, hash) VALUES ({', '.join('?' * 11)})"
_DROP_OLD_ANSWERS = (
    "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE answer_time < ? ORDER BY answer_time LIMIT ?)"
)


def read_head(connection: sqlite3.Connection) -> Head:
    """Where the history in the database stands. Raises sqlite3.DatabaseError if it does not say."""
    rows = connection.execute(_HEAD).fetchall()
    if len(rows) != 1:
        raise sqlite3.DatabaseError(f"table head has {len(rows)} rows, and must have one")
    return Head(*rows[0])


def read_customer(connection: sqlite3.Connection, customer_id: str) -> Customer | None:
    """The customer, or None. Raises StorageUnavailable if its row does not fit its checksum."""
    rows = connection.execute(_CUSTOMER, (customer_id,)).fetchall()
    return read_customer_row(rows[0]) if rows else None


def read_partner(connection: sqlite3.Connection, partner_id: str) -> Partner | None:
    """The partner, or None."""
    rows = connection.execute(_PARTNER, (partner_id,)).fetchall()
    return read_partner_row(rows[0]) if rows else None


class SqliteTransaction:
    """Keeps the promises of interface.Transaction, for one change after the other.

    `head` is where the history stands, this transaction included. The database has it once `finish` is called. `intact`
    tells whether what was changed before can still be committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Takes a connection on which a transaction has begun."""
        self._connection = connection
        self._committed = self.head = read_head(connection)
        self.intact = True
        self._remembered: list[datetime] = []

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change. What is raised within it undoes this change alone, unless SQLite cannot, or has undone all."""
        before, remembered = self.head, len(self._remembered)
        self.intact = False
        self._connection.execute("SAVEPOINT change")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO change")
                self._connection.execute("RELEASE change")
                self.head = before
                del self._remembered[remembered:]
                self.intact = True
            raise
        self._connection.execute("RELEASE change")
        self.intact = True

    def finish(self) -> None:
        """Writes down where the history stands, and drops answers that were kept long enough."""
        if self.head != self._committed:
            head = self.head
            values = (head.revision, head.hash, head.audit_sequence, head.audit_hash)
            self._connection.execute(_PUT_HEAD, values)
        if self._remembered:
            forgotten = to_microseconds(max(self._remembered) - ANSWERS_KEPT)
            most = _ANSWERS_DROPPED_FOR_ONE * len(self._remembered)
            self._connection.execute(_DROP_OLD_ANSWERS, (forgotten, most))

    def get_revision(self) -> int:
        return self.head.revision

    def get_customer(self, customer_id: str) -> Customer | None:
        return read_customer(self._connection, customer_id)

    def append_event(self, event: FreezeEvent, customer: Customer | None) -> None:
        if event.revision != self.head.revision + 1:
            raise ValueError(f"revision {event.revision} does not follow {self.head.revision}")
        execute = self._connection.execute
        self.head = replace(self.head, revision=event.revision, hash=hash_event(self.head.hash, event))
        execute(_APPEND_EVENT, (*make_event_row(event), self.head.hash))
        if customer is None:
            execute("DELETE FROM customers WHERE customer_id = ?", (event.customer_id,))
        else:
            if event.state_before is None:
                execute("INSERT OR IGNORE INTO partners (partner_id) VALUES (?)", (customer.partner_id,))
            execute(_PUT_CUSTOMER, make_customer_row(customer))

    def get_partner(self, partner_id: str) -> Partner | None:
        return read_partner(self._connection, partner_id)

    def save_partner(self, partner: Partner) -> None:
        self._connection.execute("INSERT OR REPLACE INTO partners VALUES (?, ?, ?)", make_partner_row(partner))

    def get_code(self, partner_id: str) -> SentCode | None:
        sql = f"SELECT {CODE_COLUMNS} FROM verification_codes WHERE partner_id = ?"
        rows = self._connection.execute(sql, (partner_id,)).fetchall()
        return read_code_row(rows[0]) if rows else None

    def save_code(self, partner_id: str, code: SentCode) -> None:
        row = (partner_id, code.code_id, code.digest, to_microseconds(code.expire_time), code.tries)
        self._connection.execute("INSERT OR REPLACE INTO verification_codes VALUES (?, ?, ?, ?, ?)", row)

    def delete_code(self, partner_id: str) -> None:
        self._connection.execute("DELETE FROM verification_codes WHERE partner_id = ?", (partner_id,))

    def list_counts(self, whom: str, kind: CountKind, since: datetime) -> list[datetime]:
        sql = (
            "SELECT count_time FROM verification_counts "
            "WHERE whom = ? AND kind = ? AND count_time > ? ORDER BY count_time"
        )
        rows = self._connection.execute(sql, (whom, kind, to_microseconds(since))).fetchall()
        return [from_microseconds(time) for (time,) in rows]

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        execute = self._connection.execute
        over = "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND count_time <= ?"
        execute(over, (whom, kind, to_microseconds(at - WINDOW)))
        execute("INSERT INTO verification_counts VALUES (?, ?, ?, ?)", (whom, kind, count_id, to_microseconds(at)))

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        self._connection.execute(
            "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND count_id = ?",
            (whom, kind, count_id),
        )

    def append_audit_note(self, note: AuditNote) -> None:
        entry = AuditEntry(self.head.audit_sequence + 1, note)
        hash_ = hash_audit_entry(self.head.audit_hash, entry)
        self._connection.execute(_APPEND_ENTRY, (*make_entry_row(entry), hash_))
        self.head = replace(self.head, audit_sequence=entry.sequence, audit_hash=hash_)

    def get_response(self, key: RequestKey) -> StoredResponse | None:
        rows = self._connection.execute(
            "SELECT fingerprint, answer FROM answers WHERE principal = ? AND method = ? AND request_id = ?",
            (key.principal, key.method, key.request_id),
        ).fetchall()
        return StoredResponse(*rows[0]) if rows else None

    def save_response(self, key: RequestKey, answered: StoredResponse, at: datetime) -> None:
        self._connection.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            (key.principal, key.method, key.request_id, answered.fingerprint, answered.answer, to_microseconds(at)),
        )
        self._remembered.append(at)
