"""Implements interface.Transaction on an SQLite connection in a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from frostgate_server.domain.audit_entry import AuditEntry, AuditNote
from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.hash_chain import hash_audit_entry, hash_event
from frostgate_server.domain.partner import Partner
from frostgate_server.domain.verification_code import WINDOW, SentCode
from frostgate_server.storage.head import Head
from frostgate_server.storage.queries import CountKind, RequestKey, StoredResponse

from . import kept_answers
from .driver import sqlite3
from .integrity.report_file import Suspects
from .kept_answers import ANSWERS_KEPT
from .row_mapping import (
    CODE_COLUMNS,
    from_microseconds,
    make_customer_row,
    make_entry_row,
    make_event_row,
    make_partner_row,
    read_code_row,
    read_current_customer,
    read_partner_row,
    to_microseconds,
)
from .statements import (
    ADD_CUSTOMER,
    APPEND_ENTRY,
    APPEND_EVENT,
    DROP_COUNTS,
    PUT_HEAD,
    READ_COUNTS,
    READ_CUSTOMER,
    READ_HEAD,
    READ_PARTNER,
    REDATE_COUNTS,
    UPDATE_CUSTOMER,
)


def read_head(connection: sqlite3.Connection) -> Head:
    """The head in the database. Raises sqlite3.DatabaseError if the table does not have exactly one row."""
    rows = connection.execute(READ_HEAD).fetchall()
    if len(rows) != 1:
        raise sqlite3.DatabaseError(f"table head has {len(rows)} rows, but must have one")
    return Head(*rows[0])


def count_frames(connection: sqlite3.Connection) -> int:
    """The number of frames in the -wal file. Takes a connection without a transaction. Raises sqlite3.Error."""
    ((_, frames, _),) = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchall()
    return int(frames)


def read_customer(connection: sqlite3.Connection, customer_id: str) -> Customer | None:
    """The customer, or None. Raises StorageUnavailable if its row is missing or does not match its last event."""
    (row,) = connection.execute(READ_CUSTOMER, (customer_id,)).fetchall()
    return read_current_customer(customer_id, row)


def read_partner(connection: sqlite3.Connection, partner_id: str) -> Partner | None:
    """The partner, or None. Raises StorageUnavailable if its row is missing or incomplete, as it may require codes."""
    ((*row, had_customers),) = connection.execute(READ_PARTNER, (partner_id,)).fetchall()
    if row[0] is None and not had_customers:
        return None
    if None in row:
        raise StorageUnavailable(f"the row of partner {partner_id} is missing or incomplete")
    return read_partner_row(tuple(row))


class SqliteTransaction:
    """Implements interface.Transaction, for the changes of one group, one after the other.

    `head` is the head of the history, including the changes of this transaction. `finish` writes it to the database.
    `intact` tells whether the transaction can still be committed.
    """

    def __init__(self, connection: sqlite3.Connection, suspects: Suspects) -> None:
        """Takes a connection on which a transaction has begun. Reads of customers that are `suspects` fail."""
        self._connection = connection
        self._suspects = suspects
        self._committed = self.head = read_head(connection)
        self.intact = True
        self._saved: list[datetime] = []
        self._corrections: list[tuple[str, tuple[object, ...]]] = []

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change. An exception within the block rolls back only this change, if possible.

        If SQLite rolled back the whole transaction, or read a damaged page, `intact` is False: SQLite refuses to commit
        a transaction that read a damaged page.
        """
        before, saved = self.head, len(self._saved)
        self.intact = False
        self._connection.execute("SAVEPOINT change")
        try:
            yield
        except BaseException as error:
            is_damaged = getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT")
            if self._connection.in_transaction and not is_damaged:
                self._connection.execute("ROLLBACK TO change")
                self._connection.execute("RELEASE change")
                self.head = before
                del self._saved[saved:]
                self.intact = True
            raise
        self._connection.execute("RELEASE change")
        self.intact = True

    def finish(self, *, rewrite: bool = False) -> None:
        """Writes the head of the history, deletes expired answers, and corrects times in the future.

        With `rewrite` it writes the head even without a change, so that the commit tests whether the disk is writable.
        Times are corrected here because the change that found one may be rolled back.
        """
        if rewrite or self.head != self._committed:
            head = self.head
            values = (head.revision, head.hash, head.audit_sequence, head.audit_hash)
            self._connection.execute(PUT_HEAD, values)
        if self._saved:
            now, most = max(self._saved), kept_answers.DROPPED_FOR_ONE * len(self._saved)
            self._connection.execute(kept_answers.DROP_OLD, (to_microseconds(now - ANSWERS_KEPT), most))
            self._connection.execute(kept_answers.DROP_FUTURE, (to_microseconds(now + ANSWERS_KEPT), most))
        for correction in self._corrections:
            self._connection.execute(*correction)

    def get_revision(self) -> int:
        return self.head.revision

    def get_customer(self, customer_id: str) -> Customer | None:
        self._suspects.ensure_none((customer_id,))
        return read_customer(self._connection, customer_id)

    def append_event(self, event: FreezeEvent, customer: Customer | None) -> None:
        if event.revision != self.head.revision + 1:
            raise ValueError(f"revision {event.revision} does not follow {self.head.revision}")
        execute = self._connection.execute
        self.head = replace(self.head, revision=event.revision, hash=hash_event(self.head.hash, event))
        execute(APPEND_EVENT, (*make_event_row(event), self.head.hash))
        if customer is None:
            execute("DELETE FROM customers WHERE customer_id = ?", (event.customer_id,))
        elif event.state_before is None:
            self._ensure_partner(event)
            execute(ADD_CUSTOMER, make_customer_row(customer))
        elif execute(UPDATE_CUSTOMER, make_customer_row(customer)).rowcount != 1:
            raise ValueError(f"there is no customer {customer.customer_id} to change")

    def _ensure_partner(self, event: FreezeEvent) -> None:
        """Adds the partner of a first customer. Raises StorageUnavailable if an existing partner has lost its row."""
        execute = self._connection.execute
        added = execute("INSERT OR IGNORE INTO partners (partner_id) VALUES (?)", (event.partner_id,)).rowcount
        earlier = "SELECT 1 FROM events WHERE partner_id = ? AND revision < ? LIMIT 1"
        if added and execute(earlier, (event.partner_id, event.revision)).fetchall():
            raise StorageUnavailable(f"the row of partner {event.partner_id} is missing")

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

    def list_counts(self, whom: str, kind: CountKind, now: datetime) -> list[datetime]:
        rows = self._connection.execute(READ_COUNTS, (whom, kind, to_microseconds(now - WINDOW))).fetchall()
        times = [from_microseconds(time) for (time,) in rows]
        if times and times[-1] > now:
            self._corrections.append((DROP_COUNTS, self._outside_window(whom, kind, now)))
            self._corrections.append((REDATE_COUNTS, (whom, kind, to_microseconds(now))))
        return [min(time, now) for time in times if time <= now + WINDOW]

    def add_count(self, whom: str, kind: CountKind, count_id: str, at: datetime) -> None:
        execute = self._connection.execute
        execute(DROP_COUNTS, self._outside_window(whom, kind, at))
        execute("INSERT INTO verification_counts VALUES (?, ?, ?, ?)", (whom, kind, count_id, to_microseconds(at)))

    def delete_count(self, whom: str, kind: CountKind, count_id: str) -> None:
        self._connection.execute(
            "DELETE FROM verification_counts WHERE whom = ? AND kind = ? AND count_id = ?",
            (whom, kind, count_id),
        )

    def delete_counts(self, whom: str) -> None:
        self._connection.execute("DELETE FROM verification_counts WHERE whom = ?", (whom,))

    def append_audit_note(self, note: AuditNote) -> None:
        entry = AuditEntry(self.head.audit_sequence + 1, note)
        hash_ = hash_audit_entry(self.head.audit_hash, entry)
        self._connection.execute(APPEND_ENTRY, (*make_entry_row(entry), hash_))
        self.head = replace(self.head, audit_sequence=entry.sequence, audit_hash=hash_)

    def get_response(self, key: RequestKey, now: datetime) -> StoredResponse | None:
        name, moment = (key.principal, key.method, key.request_id), to_microseconds(now)
        values = (*name, to_microseconds(now - ANSWERS_KEPT))
        rows = self._connection.execute(kept_answers.ANSWER, values).fetchall()
        if not rows:
            return None
        ((fingerprint, answer, time),) = rows
        if time > to_microseconds(now + ANSWERS_KEPT):
            self._corrections.append((kept_answers.DROP_ANSWER, (*name, moment)))
            return None
        if time > moment:
            self._corrections.append((kept_answers.REDATE_ANSWER, (moment, *name)))
        return StoredResponse(fingerprint, answer)

    def count_kept_bytes(self, principal: str, now: datetime) -> tuple[int, datetime]:
        values = (principal, *kept_answers.hours_that_count(now))
        ((kept, oldest),) = self._connection.execute(kept_answers.KEPT, values).fetchall()
        return kept, now if oldest is None else kept_answers.end_of_hour(oldest)

    def save_response(self, key: RequestKey, answered: StoredResponse, at: datetime) -> None:
        execute = self._connection.execute
        name = (key.principal, key.method, key.request_id)
        execute(kept_answers.SAVE_ANSWER, (*name, answered.fingerprint, answered.answer, to_microseconds(at)))
        hour, size = kept_answers.hour_of(at), kept_answers.size_of(key, answered)
        if execute(kept_answers.ADD_TO_HOUR, (key.principal, hour, size)).rowcount == 0:
            execute(kept_answers.END_HOURS, (key.principal, *kept_answers.hours_that_count(at)))
            execute(kept_answers.BEGIN_HOUR, (key.principal, hour, size))
        self._saved.append(at)

    def _outside_window(self, whom: str, kind: CountKind, now: datetime) -> tuple[object, ...]:
        """The values of DROP_COUNTS."""
        return whom, kind, to_microseconds(now - WINDOW), to_microseconds(now + WINDOW)
