"""The store on SQLite: plain SQL, one connection for each reading thread, and one connection for all changes."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.queries import CustomerFilter, EventFilter, Page

from . import listing
from .connections import Connections, ReadingConnection, interruptible
from .driver import sqlite3
from .error_mapping import mapped_errors
from .files.head_file import HeadFile
from .group_commit import GroupCommit
from .integrity.report_file import Suspects
from .row_mapping import Row, ensure_unknown, verify_state
from .transaction import read_customer, read_partner

_Result = TypeVar("_Result")


def _last_action(customer_id: str) -> str:
    """SQL for the action of a customer's last event. It is evaluated only for a customer without a row."""
    last = f"FROM events AS e WHERE e.customer_id = {customer_id} ORDER BY e.revision DESC LIMIT 1"
    return f"CASE WHEN c.freeze_state IS NULL THEN (SELECT coalesce(e.action, 0) {last}) END"


_STATE = (
    f"SELECT h.revision, c.freeze_state, c.revision, c.checksum, {_last_action('?1')} "
    "FROM head AS h LEFT JOIN customers AS c ON c.customer_id = ?1"
)
_STATES = (
    f"SELECT h.revision, a.key, a.value, c.freeze_state, c.revision, c.checksum, {_last_action('a.value')} "
    "FROM head AS h LEFT JOIN json_each(?) AS a LEFT JOIN customers AS c ON c.customer_id = a.value"
)


class SqliteStore:
    """Implements interface.Store. `join_store` opens it, on files that `prepare_store` has checked."""

    def __init__(
        self,
        connections: Connections,
        head_file: HeadFile,
        suspects: Suspects,
        around_group: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Takes connections to a database, and its head file. For `around_group` see GroupCommit.

        Raises StorageUnavailable for requests about customers that are `suspects`.
        """
        self._connections = connections
        self._suspects = suspects
        self._reading = ReadingConnection(connections)
        self._group_commit = GroupCommit(self._connections, head_file, suspects, around_group)

    def get_freeze_state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        self._suspects.ensure_none((customer_id,))
        reading = self._reading
        try:
            rows = reading.connection.execute(_STATE, (customer_id,)).fetchall()
            if reading.schema.in_doubt:
                rows = self._confirm(_STATE, (customer_id,))
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(str(error)) from error
        ((revision, state, changed, checksum, last_action),) = rows
        if state is None:
            ensure_unknown(customer_id, last_action)
            return None, revision
        return verify_state(customer_id, state, changed, checksum), revision

    def get_freeze_states(self, customer_ids: list[str]) -> tuple[list[FreezeState | StorageUnavailable | None], int]:
        suspects = self._suspects.find_errors(customer_ids)
        rows = self._read(_STATES, [json.dumps(customer_ids)])
        states: list[FreezeState | StorageUnavailable | None] = [None] * len(customer_ids)
        for _, place, customer_id, state, changed, checksum, last_action in rows:
            try:
                if state is None:
                    ensure_unknown(customer_id, last_action)
                else:
                    states[place] = verify_state(customer_id, state, changed, checksum)
            except StorageUnavailable as error:
                states[place] = error
        if suspects:
            states = [suspects.get(one, state) for one, state in zip(customer_ids, states, strict=True)]
        return states, rows[0][0]

    def read_without_waiting(self) -> None:
        self._read("PRAGMA busy_timeout = 0", [])

    def get_revision(self) -> int:
        return int(self._read("SELECT revision FROM head", [])[0][0])

    def get_customer(self, customer_id: str) -> Customer | None:
        self._suspects.ensure_none((customer_id,))
        return self._read_one(lambda connection: read_customer(connection, customer_id))

    def get_partner(self, partner_id: str) -> Partner | None:
        return self._read_one(lambda connection: read_partner(connection, partner_id))

    def list_customers(
        self, wanted: CustomerFilter, after: str, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[Customer, str]:
        with interruptible(self._reading.connection, still_wanted):
            page = listing.list_customers(self._read, wanted, after, limit)
        self._suspects.ensure_none([customer.customer_id for customer in page.items])
        return page

    def list_events(
        self, wanted: EventFilter, before: int | None, limit: int, still_wanted: Callable[[], bool]
    ) -> Page[FreezeEvent, int]:
        with interruptible(self._reading.connection, still_wanted):
            return listing.list_events(self._read, wanted, before, limit)

    def submit_transaction(self, work: Callable[[Transaction], _Result]) -> Future[_Result]:
        """Implements interface.Store. A future is completed after the head file contains the change too."""
        return self._group_commit.submit(work)

    def withdraw_overdue(self) -> None:
        with suppress(sqlite3.Error, OSError):
            self._connections.look_at_schema(self._reading)
        self._group_commit.withdraw_overdue()

    def ensure_writable(self) -> None:
        with mapped_errors():
            self._connections.ensure_room()
        self._group_commit.ensure_writable()

    def run_transaction(self, work: Callable[[Transaction], _Result]) -> _Result:
        return self._group_commit.run(work)

    def close(self) -> None:
        self._group_commit.close()
        self._connections.close()

    def _read(self, sql: str, values: Sequence[object]) -> list[Row]:
        with mapped_errors():
            rows: list[Row] = self._reading.connection.execute(sql, values).fetchall()
            return self._confirm(sql, values) if self._reading.schema.in_doubt else rows

    def _confirm(self, sql: str, values: Sequence[object]) -> list[Row]:
        """Compares the schema and repeats a SELECT. Raises sqlite3.Error."""
        connection = self._reading.connection
        return self._reading.schema.confirm(connection, lambda: connection.execute(sql, values).fetchall())

    def _read_one(self, read: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """The result of `read`, repeated after a comparison if the schema is in doubt."""
        with mapped_errors():
            reading = self._reading
            found = read(reading.connection)
            if reading.schema.in_doubt:
                return reading.schema.confirm(reading.connection, lambda: read(reading.connection))
            return found
