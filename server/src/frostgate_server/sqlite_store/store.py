"""The store on SQLite: plain SQL, one connection a reading thread, and one for all writes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from frostgate_server.errors import OutcomeUnknown, StorageUnavailable
from frostgate_server.freezing import Customer, FreezeEvent
from frostgate_server.store import CustomerFilter, EventFilter, Transaction
from frostgate_server.vocabulary import FreezeState

from .connections import Connections
from .head_file import HeadFile
from .library import sqlite3
from .rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, Row, customer_of, event_of, microseconds, verified_state
from .transaction import SqliteTransaction, read_customer

_Result = TypeVar("_Result")

WRITE_PATIENCE = 5.0
"""How long a change waits for those before it, in seconds, until the store counts as busy."""

_NOT_COMMITTED = {"SQLITE_FULL", "SQLITE_BUSY"}
"""Why a COMMIT fails without having done anything."""

_STATE = (
    "SELECT h.revision, c.freeze_state, c.revision, c.checksum "
    "FROM head AS h LEFT JOIN customers AS c ON c.customer_id = ?"
)
_STATES = (
    "SELECT h.revision, a.value, c.freeze_state, c.revision, c.checksum "
    "FROM head AS h LEFT JOIN json_each(?) AS a LEFT JOIN customers AS c ON c.customer_id = a.value ORDER BY a.key"
)


class SqliteStore:
    """Keeps the promises of store.Store. Opened by `open_store`, which sees to it that the files are sound."""

    def __init__(self, path: Path, head_file: HeadFile) -> None:
        """Takes the path of a database and its head file, both verified."""
        self._connections = Connections(path)
        self._head_file = head_file
        self._writer = self._connections.open()
        self._writing = threading.Lock()

    def state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        """See store.Store."""
        try:
            ((revision, state, changed, checksum),) = (
                self._connections.mine().execute(_STATE, (customer_id,)).fetchall()
            )
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(str(error)) from error
        if state is None:
            return None, revision
        return verified_state(customer_id, state, changed, checksum), revision

    def states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """See store.Store."""
        rows = self._read(_STATES, [json.dumps(customer_ids)])
        states = [None if row[2] is None else verified_state(*row[1:]) for row in rows[: len(customer_ids)]]
        return states, rows[0][0]

    def revision(self) -> int:
        """See store.Store."""
        return int(self._read("SELECT revision FROM head", [])[0][0])

    def customer(self, customer_id: str) -> Customer | None:
        """See store.Store."""
        with _translated_errors():
            return read_customer(self._connections.mine(), customer_id)

    def partner_exists(self, partner_id: str) -> bool:
        """See store.Store."""
        return bool(self._read("SELECT 1 FROM partners WHERE partner_id = ?", [partner_id]))

    def customers(self, wanted: CustomerFilter, after: str, limit: int) -> list[Customer]:
        """See store.Store."""
        conditions = ["partner_id = ?", "customer_id > ?"]
        values: list[object] = [wanted.partner_id, after]
        if wanted.freeze_state is not None:
            conditions.append("freeze_state = ?")
            values.append(wanted.freeze_state)
        if wanted.retention_expired is not None:
            conditions.append("coalesce(retention_expire_time <= ?, 0) = ?")
            values += [microseconds(wanted.now), wanted.retention_expired]
        sql = f"SELECT {CUSTOMER_COLUMNS} FROM customers WHERE {' AND '.join(conditions)} ORDER BY customer_id LIMIT ?"
        return [customer_of(row) for row in self._read(sql, [*values, limit])]

    def events(self, wanted: EventFilter, before: int | None, limit: int) -> list[FreezeEvent]:
        """See store.Store."""
        bounds = {
            "customer_id = ?": wanted.customer_id,
            "partner_id = ?": wanted.partner_id,
            "revision > ?": wanted.after_revision,
            "revision < ?": before,
            "event_time >= ?": wanted.start_time and microseconds(wanted.start_time),
            "event_time < ?": wanted.end_time and microseconds(wanted.end_time),
        }
        set_bounds = {condition: value for condition, value in bounds.items() if value is not None}
        where = f"WHERE {' AND '.join(set_bounds)}" if set_bounds else ""
        sql = f"SELECT {EVENT_COLUMNS} FROM events {where} ORDER BY revision DESC LIMIT ?"
        return [event_of(row) for row in self._read(sql, [*set_bounds.values(), limit])]

    def write(self, work: Callable[[Transaction], _Result]) -> _Result:
        """See store.Store. What goes out to the caller is in the head file too."""
        if not self._writing.acquire(timeout=WRITE_PATIENCE):
            raise StorageUnavailable(f"a change waited {WRITE_PATIENCE} s for those before it")
        try:
            with ExitStack() as stack:
                with _translated_errors():
                    stack.enter_context(self._head_file.locked())
                transaction, result = self._prepared(work)
                self._make_durable(transaction)
                return result
        finally:
            self._writing.release()

    def _prepared(self, work: Callable[[Transaction], _Result]) -> tuple[SqliteTransaction, _Result]:
        """Begins a transaction and does the work in it. If anything is raised, nothing has changed."""
        with _translated_errors():
            self._connections.ensure_same_file()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                transaction = SqliteTransaction(self._writer)
                return transaction, work(transaction)
            except BaseException:
                self._roll_back()
                raise

    def _make_durable(self, transaction: SqliteTransaction) -> None:
        """Commits, and writes the head file. Raises OutcomeUnknown: what fails here may have been done."""
        try:
            self._writer.execute("COMMIT")
            self._head_file.advance(transaction.head)
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            if getattr(error, "sqlite_errorname", "") in _NOT_COMMITTED:
                raise StorageUnavailable(str(error)) from error
            raise OutcomeUnknown(str(error)) from error

    def _roll_back(self) -> None:
        """Ends the transaction, unless SQLite has done so itself, as it does when the disk is full."""
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def close(self) -> None:
        """See store.Store."""
        self._connections.close()
        self._head_file.close()

    def _read(self, sql: str, values: list[object]) -> list[Row]:
        with _translated_errors():
            rows: list[Row] = self._connections.mine().execute(sql, values).fetchall()
            return rows


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(str(error)) from error
