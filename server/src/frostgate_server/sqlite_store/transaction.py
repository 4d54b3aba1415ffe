"""A change in the making: store.Transaction on an SQLite connection that has begun one."""

from datetime import datetime, timedelta

from frostgate_server.event_chain import chained
from frostgate_server.freezing import Customer, FreezeEvent
from frostgate_server.store import Answered, RequestKey

from .head_file import Head
from .library import sqlite3
from .rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, customer_of, customer_row, event_row, microseconds

ANSWERS_KEPT = timedelta(hours=24)
_ANSWERS_DROPPED_AT_ONCE = 16

_CUSTOMER = f"SELECT {CUSTOMER_COLUMNS} FROM customers WHERE customer_id = ?"
_PUT_CUSTOMER = f"INSERT OR REPLACE INTO customers ({CUSTOMER_COLUMNS}) VALUES ({', '.join('?' * 10)})"
_APPEND_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}, hash) VALUES ({', '.join('?' * 12)})"
_DROP_OLD_ANSWERS = (
    "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE answer_time < ? ORDER BY answer_time LIMIT ?)"
)


def read_head(connection: sqlite3.Connection) -> Head:
    """Where the history in the database stands."""
    ((database_id, revision, hash_),) = connection.execute("SELECT database_id, revision, hash FROM head").fetchall()
    return Head(database_id, revision, hash_)


def read_customer(connection: sqlite3.Connection, customer_id: str) -> Customer | None:
    """The customer, or None. Raises StorageUnavailable if its row does not fit its checksum."""
    rows = connection.execute(_CUSTOMER, (customer_id,)).fetchall()
    return customer_of(rows[0]) if rows else None


class SqliteTransaction:
    """Keeps the promises of store.Transaction. `head` is where the history stands, this transaction included."""

    def __init__(self, connection: sqlite3.Connection, head: Head) -> None:
        """Takes a connection on which a transaction has begun, and where the history stands in it."""
        self._connection = connection
        self.head = head

    def revision(self) -> int:
        """See store.Transaction."""
        return self.head.revision

    def customer(self, customer_id: str) -> Customer | None:
        """See store.Transaction."""
        return read_customer(self._connection, customer_id)

    def record(self, event: FreezeEvent, customer: Customer | None) -> None:
        """See store.Transaction."""
        if event.revision != self.head.revision + 1:
            raise ValueError(f"revision {event.revision} does not follow {self.head.revision}")
        execute = self._connection.execute
        self.head = Head(self.head.database_id, event.revision, chained(self.head.hash, event))
        execute(_APPEND_EVENT, (*event_row(event), self.head.hash))
        if customer is None:
            execute("DELETE FROM customers WHERE customer_id = ?", (event.customer_id,))
        else:
            execute("INSERT OR IGNORE INTO partners VALUES (?)", (customer.partner_id,))
            execute(_PUT_CUSTOMER, customer_row(customer))
        execute("UPDATE head SET revision = ?, hash = ?", (self.head.revision, self.head.hash))

    def answered(self, key: RequestKey) -> Answered | None:
        """See store.Transaction."""
        rows = self._connection.execute(
            "SELECT fingerprint, answer FROM answers WHERE principal = ? AND method = ? AND request_id = ?",
            (key.principal, key.method, key.request_id),
        ).fetchall()
        return Answered(*rows[0]) if rows else None

    def remember(self, key: RequestKey, answered: Answered, at: datetime) -> None:
        """See store.Transaction."""
        self._connection.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            (key.principal, key.method, key.request_id, answered.fingerprint, answered.answer, microseconds(at)),
        )
        forgotten = microseconds(at - ANSWERS_KEPT)
        self._connection.execute(_DROP_OLD_ANSWERS, (forgotten, _ANSWERS_DROPPED_AT_ONCE))
