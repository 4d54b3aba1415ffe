"""The store on SQLite: plain SQL, one connection a reading thread, and one for all changes."""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.domain.partner import Partner
from frostgate_server.storage.interface import Transaction
from frostgate_server.storage.queries import CustomerFilter, EventFilter

from .connections import Connections, ReadingConnection
from .driver import sqlite3
from .error_mapping import mapped_errors
from .group_commit import GroupCommit
from .head_file import HeadFile
from .row_mapping import (
    CUSTOMER_COLUMNS,
    EVENT_COLUMNS,
    Row,
    read_customer_row,
    read_event_row,
    to_microseconds,
    verify_state,
)
from .transaction import read_customer, read_partner

_Result = TypeVar("_Result")

_STATE = (
    "SELECT h.revision, c.freeze_state, c.revision, c.checksum "
    "FROM head AS h LEFT JOIN customers AS c ON c.customer_id = ?"
)
_STATES = (
    "SELECT h.revision, a.key, a.value, c.freeze_state, c.revision, c.checksum "
    "FROM head AS h LEFT JOIN json_each(?) AS a LEFT JOIN customers AS c ON c.customer_id = a.value"
)


class SqliteStore:
    """Keeps the promises of interface.Store. Opened by `join_store`, on files that `prepare_store` found sound."""

    def __init__(
        self, connections: Connections, head_file: HeadFile, around_group: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Takes connections to a database, and its head file. For `around_group` see GroupCommit."""
        self._connections = connections
        self._reading = ReadingConnection(connections)
        self._group_commit = GroupCommit(self._connections, head_file, around_group)

    def get_freeze_state(self, customer_id: str) -> tuple[FreezeState | None, int]:
        try:
            ((revision, state, changed, checksum),) = self._reading.connection.execute(
                _STATE, (customer_id,)
            ).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(str(error)) from error
        if state is None:
            return None, revision
        return verify_state(customer_id, state, changed, checksum), revision

    def get_freeze_states(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        rows = self._read(_STATES, [json.dumps(customer_ids)])
        states: list[FreezeState | None] = [None] * len(customer_ids)
        for _, place, customer_id, state, changed, checksum in rows:
            if state is not None:
                states[place] = verify_state(customer_id, state, changed, checksum)
        return states, rows[0][0]

    def get_revision(self) -> int:
        return int(self._read("SELECT revision FROM head", [])[0][0])

    def get_customer(self, customer_id: str) -> Customer | None:
        with mapped_errors():
            return read_customer(self._reading.connection, customer_id)

    def get_partner(self, partner_id: str) -> Partner | None:
        with mapped_errors():
            return read_partner(self._reading.connection, partner_id)

    def list_customers(self, wanted: CustomerFilter, after: str, limit: int) -> list[Customer]:
        conditions = ["partner_id = ?", "customer_id > ?"]
        values: list[object] = [wanted.partner_id, after]
        if wanted.freeze_state is not None:
            conditions.append("freeze_state = ?")
            values.append(wanted.freeze_state)
        if wanted.retention_expired is not None:
            conditions.append("coalesce(retention_expire_time <= ?, 0) = ?")
            values += [to_microseconds(wanted.now), wanted.retention_expired]
        sql = f"SELECT {CUSTOMER_COLUMNS} FROM customers WHERE {' AND '.join(conditions)} ORDER BY customer_id LIMIT ?"
        return [read_customer_row(row) for row in self._read(sql, [*values, limit])]

    def list_events(self, wanted: EventFilter, before: int | None, limit: int) -> list[FreezeEvent]:
        bounds: dict[str, object] = {
            "customer_id = ?": wanted.customer_id,
            "revision > ?": wanted.after_revision,
            "revision < ?": before,
            "event_time >= ?": wanted.start_time and to_microseconds(wanted.start_time),
            "event_time < ?": wanted.end_time and to_microseconds(wanted.end_time),
        }
        set_bounds = {condition: value for condition, value in bounds.items() if value is not None}
        if wanted.partner_ids is None:
            sql = f"SELECT {EVENT_COLUMNS} FROM events {_where(set_bounds)} ORDER BY revision DESC LIMIT ?"
            return [read_event_row(row) for row in self._read(sql, [*set_bounds.values(), limit])]
        # Each partner's newest by its index, and the newest of those: no long history is sorted.
        of_one = f"SELECT {EVENT_COLUMNS} FROM events {_where(['partner_id = ?', *set_bounds])} ORDER BY revision DESC"
        of_all = " UNION ALL ".join(f"SELECT * FROM ({of_one} LIMIT ?)" for _ in wanted.partner_ids)
        values = [v for partner_id in wanted.partner_ids for v in (partner_id, *set_bounds.values(), limit)]
        rows = self._read(f"{of_all} ORDER BY revision DESC LIMIT ?", [*values, limit])
        return [read_event_row(row) for row in rows]

    def run_transaction(self, work: Callable[[Transaction], _Result]) -> _Result:
        """See interface.Store. What goes out to the caller is in the head file too."""
        return self._group_commit.write(work)

    def close(self) -> None:
        self._group_commit.close()
        self._connections.close()

    def _read(self, sql: str, values: list[object]) -> list[Row]:
        with mapped_errors():
            rows: list[Row] = self._reading.connection.execute(sql, values).fetchall()
            return rows


def _where(conditions: Iterable[str]) -> str:
    joined = " AND ".join(conditions)
    return f"WHERE {joined}" if joined else ""
