"""Estimates the size of each table in the file from the sizes of its values. Exact sizes need an SQLite with dbstat.

The size of the used pages is divided among the tables, in proportion to the values in them and in their indexes. For a
database with thousands of rows the error is at most a quarter.
"""

from dataclasses import dataclass

from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.stats import TableStats

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name"
_COLUMNS = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
_INDEX_COLUMNS = (
    "SELECT i.name FROM sqlite_schema AS s JOIN pragma_index_xinfo(s.name) AS i "
    "WHERE s.type = 'index' AND s.tbl_name = ?"
)
"""The columns of all indexes of a table. None is the rowid."""

_SIZE = (
    "coalesce(sum(CASE typeof({0}) WHEN 'text' THEN octet_length({0}) WHEN 'integer' THEN "
    "CASE WHEN {0} IN (0, 1) THEN 0 WHEN abs({0}) < 128 THEN 1 WHEN abs({0}) < 32768 THEN 2 "
    "WHEN abs({0}) < 2147483648 THEN 4 ELSE 8 END ELSE 0 END), 0)"
)
_ENTRY_BYTES = 5
"""The overhead of SQLite for each row, in a table or an index, besides one byte for each value."""

_ROWID_BYTES = 3


@dataclass(frozen=True, slots=True)
class _Contents:
    """The number of rows of a table, and the bytes of their values, in the table and its indexes."""

    rows: int
    bytes: int


def measure_tables(connection: sqlite3.Connection) -> dict[str, TableStats]:
    """The rows and bytes of each table. Reads all rows."""
    contents = {name: _measure(connection, name) for (name,) in connection.execute(_TABLES).fetchall()}
    all_bytes = max(1, sum(table.bytes for table in contents.values()))
    used = _used_bytes(connection)
    return {name: TableStats(table.rows, used * table.bytes // all_bytes) for name, table in contents.items()}


def _measure(connection: sqlite3.Connection, table: str) -> _Contents:
    columns = [name for (name,) in connection.execute(_COLUMNS, (table,)).fetchall()]
    sql = f"SELECT count(*), {', '.join(map(_SIZE.format, columns))} FROM {table}"
    ((rows, *sizes),) = connection.execute(sql).fetchall()
    size_of = dict(zip(columns, sizes, strict=True))
    indexed = [name for (name,) in connection.execute(_INDEX_COLUMNS, (table,)).fetchall()]
    in_indexes = sum(rows * _ROWID_BYTES if name is None else size_of[name] for name in indexed)
    values = len(columns) + len(indexed)
    entries = 1 + indexed.count(None)
    return _Contents(rows, sum(sizes) + in_indexes + rows * (values + entries * _ENTRY_BYTES))


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchall()[0][0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
