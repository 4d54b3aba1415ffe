"""Statistics of an SQLite database, also while it is served."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS
from frostgate_server.storage.sqlite.kept_answers import hours_that_count
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.reading import opened_to_read
from frostgate_server.storage.sqlite.row_mapping import Row, from_microseconds, to_microseconds
from frostgate_server.storage.sqlite.transaction import read_head
from frostgate_server.storage.stats import DatabaseStats, KeptAnswersStats, RestoreStats, TableStats

from .table_sizes import measure_tables

DAYS = 7
"""Days whose events are counted, besides today."""

MOST = 10
"""The maximum number of callers and of restores in the lists."""

_CHECK_ENDING = "-check"
"""The suffix of the report of the background check, which is JSON."""

_EVENTS = "SELECT count(*) FROM events WHERE event_time >= ? AND event_time < ?"
_KEPT = (
    "SELECT principal, sum(answers), sum(bytes) FROM kept_answers WHERE hour >= ? AND hour <= ? "
    "GROUP BY principal ORDER BY sum(bytes) DESC, principal LIMIT ?"
)
_RESTORES = "SELECT number, command, last_revision, floor, restore_time FROM restores ORDER BY number DESC LIMIT ?"


def collect_stats(path: Path, clock: Callable[[], datetime] = utc_now) -> DatabaseStats:
    """Reads the whole database. Raises StartupError if it cannot be read."""
    ensure_sound()
    path = path.resolve()
    ensure_exists(path)
    try:
        with opened_to_read(path) as connection:
            ensure_frostgate_database(path, connection)
            connection.execute("BEGIN")
            return _collected(path, connection, clock())
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise StartupError(f"database {path} cannot be read: {error}") from error


def _collected(path: Path, connection: sqlite3.Connection, now: datetime) -> DatabaseStats:
    head = read_head(connection)
    tables = measure_tables(connection)
    days = _events_per_day(connection, now)
    events = tables["events"]
    whole_days = sum(list(days.values())[:-1])
    return DatabaseStats(
        database_id=head.database_id,
        revision=head.revision,
        files=_file_sizes(path),
        tables=tables,
        events_per_day=days,
        growth_bytes_per_day=whole_days * events.bytes // (DAYS * max(1, events.rows)),
        kept_answers=[KeptAnswersStats(*row) for row in _rows(connection, tables, _KEPT, *hours_that_count(now), MOST)],
        restores=[
            RestoreStats(number, command, last_revision, floor, from_microseconds(time))
            for number, command, last_revision, floor, time in _rows(connection, tables, _RESTORES, MOST)
        ],
        record_check=_record_check(path),
    )


def _events_per_day(connection: sqlite3.Connection, now: datetime) -> dict[str, int]:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [today - timedelta(days=days) for days in range(DAYS, -1, -1)]
    return {
        start.date().isoformat(): _value(
            connection, _EVENTS, to_microseconds(start), to_microseconds(start + timedelta(days=1))
        )
        for start in starts
    }


def _rows(connection: sqlite3.Connection, tables: dict[str, TableStats], sql: str, *values: int) -> list[Row]:
    """Rows of tables that databases of earlier versions do not have."""
    if not {"kept_answers", "restores"} <= tables.keys():
        return []
    rows: list[Row] = connection.execute(sql, values).fetchall()
    return rows


def _value(connection: sqlite3.Connection, sql: str, *values: int) -> int:
    ((value,),) = connection.execute(sql, values).fetchall()
    return int(value)


def _file_sizes(path: Path) -> dict[str, int]:
    found = (path.with_name(path.name + ending) for ending in (*FILE_ENDINGS, _CHECK_ENDING))
    return {file.name: file.stat().st_size for file in found if file.exists()}


def _record_check(path: Path) -> Any:
    """The report of the background check, or None. For an unreadable file, the result has the error."""
    file = path.with_name(path.name + _CHECK_ENDING)
    if not file.exists():
        return None
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return {"unreadable": str(error)}
