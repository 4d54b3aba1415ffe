"""Listings by pages. Each page uses an index and reads a bounded number of rows.

If a filter must read the rows themselves, a first query finds the key of the row at which the page must end. The events
of several partners are merged as they are read, so that no history is sorted.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from frostgate_server.domain.customer import Customer, FreezeEvent
from frostgate_server.storage.queries import CustomerFilter, EventFilter, Page

from .row_mapping import CUSTOMER_COLUMNS, EVENT_COLUMNS, Row, read_customer_row, read_event_row, to_microseconds

MOST_ROWS_READ = 10_000
"""The maximum number of rows that a page reads. A page of 1,000 items reads 1,001, unless a filter excludes rows."""

Read = Callable[[str, Sequence[object]], list[Row]]
"""Runs a SELECT with its values, and returns all its rows."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition on rows, and the values that are bound in it."""

    sql: str
    values: tuple[object, ...]


_Conditions = list[_Condition]
"""Conditions that must all hold."""


def list_customers(read: Read, wanted: CustomerFilter, after: str, limit: int) -> Page[Customer, str]:
    """A page of a partner's customers. It uses the index of customers by partner."""
    walk = [_condition("partner_id = ?", wanted.partner_id), _condition("customer_id > ?", after)]
    filters = _customer_filters(wanted)
    ceiling: str | None = None
    if filters:
        sql = f"SELECT customer_id FROM customers {_where(walk)} ORDER BY customer_id LIMIT 1 OFFSET ?"
        ceiling = _only_value(read(sql, [*_values(walk), MOST_ROWS_READ - 1]))
    if ceiling is not None:
        walk.append(_condition("customer_id <= ?", ceiling))
    conditions = walk + filters
    sql = f"SELECT {CUSTOMER_COLUMNS} FROM customers {_where(conditions)} ORDER BY customer_id LIMIT ?"
    found = [read_customer_row(row) for row in read(sql, [*_values(conditions), limit + 1])]
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1].customer_id)
    return Page(found, ceiling)


def list_events(read: Read, wanted: EventFilter, before: int | None, limit: int) -> Page[FreezeEvent, int]:
    """A page of events, the newest first. It uses the index by customer, the index by partner, or the revision.

    If a time range has few events, it uses the index by time.
    """
    revisions = _bounds([("revision > ?", wanted.after_revision), ("revision < ?", before)])
    times = _times(wanted, "event_time")
    if wanted.customer_id is not None:
        of_customer = [_condition("customer_id = ?", wanted.customer_id), *revisions]
        return _read_events(read, [of_customer], _times(wanted, _NOT_BY_TIME) + _partners(wanted), limit)
    if times and _are_few(read, times):
        in_time = _Condition(f"revision IN (SELECT revision FROM events {_where(times)})", tuple(_values(times)))
        return _read_events(read, [[in_time, *_partners(wanted), *revisions]], [], limit)
    walks = [revisions]
    if wanted.partner_ids is not None:
        walks = [[_condition("partner_id = ?", partner_id), *revisions] for partner_id in wanted.partner_ids]
    return _read_events(read, walks, _times(wanted, _NOT_BY_TIME), limit)


_NOT_BY_TIME = "+event_time"
"""The column with a "+", so that SQLite does not use its index: it would sort all rows that the index finds."""


def _read_events(read: Read, walks: list[_Conditions], filters: _Conditions, limit: int) -> Page[FreezeEvent, int]:
    """The newest events of all walks that match the filters."""
    floor: int | None = None
    if filters:
        floor = _only_value(read(*_merge("revision", walks, limit=1, offset=MOST_ROWS_READ - 1)))
    if floor is not None:
        filters = [*filters, _condition("revision >= ?", floor)]
    rows = read(*_merge(EVENT_COLUMNS, [walk + filters for walk in walks], limit=limit + 1, offset=0))
    found = [read_event_row(row) for row in rows[:limit]]
    return Page(found, found[-1].revision if len(rows) > limit else floor)


def _merge(columns: str, walks: list[_Conditions], limit: int, offset: int) -> tuple[str, list[object]]:
    """A SELECT over events, the newest first. Each walk is already in order, so SQLite merges them row by row."""
    selects = [f"SELECT {columns} FROM events {_where(walk)}" for walk in walks]
    values = [value for walk in walks for value in _values(walk)]
    return f"{' UNION ALL '.join(selects)} ORDER BY revision DESC LIMIT ? OFFSET ?", [*values, limit, offset]


def _are_few(read: Read, times: _Conditions) -> bool:
    """Whether a page may read all events of a time range."""
    sql = f"SELECT 1 FROM events {_where(times)} LIMIT 1 OFFSET ?"
    return not read(sql, [*_values(times), MOST_ROWS_READ])


def _customer_filters(wanted: CustomerFilter) -> _Conditions:
    filters = _bounds([("freeze_state = ?", wanted.freeze_state)])
    if wanted.retention_expired is not None:
        expired = "coalesce(retention_expire_time <= ?, 0) = ?"
        filters.append(_condition(expired, to_microseconds(wanted.now), wanted.retention_expired))
    return filters


def _times(wanted: EventFilter, column: str) -> _Conditions:
    start = wanted.start_time and to_microseconds(wanted.start_time)
    end = wanted.end_time and to_microseconds(wanted.end_time)
    return _bounds([(f"{column} >= ?", start), (f"{column} < ?", end)])


def _partners(wanted: EventFilter) -> _Conditions:
    """The filter by partners, for a query that does not use the index by partner."""
    if wanted.partner_ids is None:
        return []
    return [_condition("partner_id IN (SELECT value FROM json_each(?))", json.dumps(wanted.partner_ids))]


def _bounds(bounds: Iterable[tuple[str, object]]) -> _Conditions:
    """Conditions with one value each. A value of None sets no condition."""
    return [_condition(sql, value) for sql, value in bounds if value is not None]


def _condition(sql: str, *values: object) -> _Condition:
    return _Condition(sql, values)


def _where(conditions: _Conditions) -> str:
    return f"WHERE {' AND '.join(condition.sql for condition in conditions)}" if conditions else ""


def _values(conditions: _Conditions) -> list[object]:
    return [value for condition in conditions for value in condition.values]


def _only_value(rows: list[Row]) -> Any:
    """The value of a row with one column, or None if there is no row."""
    return rows[0][0] if rows else None
