"""Reads a whole tree by short reads in key order. An unreadable row is skipped, and is a finding."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.row_mapping import Row

from .findings import Findings

ROWS_AT_ONCE = 250
"""Rows of one read, which takes a few milliseconds. Transactions are this short so that -wal checkpoints can run."""

_MOST_SKIPPED = 2**20
"""The largest step over numbered rows that cannot be read: more than one damaged page can hide."""

_PASSING_ERRORS = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_NOMEM"}
"""Temporary errors, which do not depend on the row."""

_READ_ERRORS = (sqlite3.Error, ValueError)
"""The errors of an unreadable row. ValueError: a text may not be valid UTF-8."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A table or index, and the SQL to read it after a given key.

    `rows` is a SELECT of a number of rows with later keys, in order. Each row begins with its key. `keys` selects the
    same keys without reading other trees, or from another tree. `customer` is the position of the customer id in its
    rows, if there is one. If `is_numbered`, the key is a number. If `is_only_read`, `rows` returns only the last row.
    `core` is like `rows`, but does not read trees that no answer about a customer depends on.
    """

    name: str
    rows: str
    keys: str
    first: Key
    customer: int | None = None
    is_numbered: bool = False
    is_only_read: bool = False
    core: str | None = None


class Scan:
    """Reads trees on a connection."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        """Unreadable rows are added to `findings`."""
        self._connection = connection
        self._findings = findings

    def run(self, tree: Tree, examine: Callable[[Row], None], after: Key | None = None) -> Iterator[int]:
        """Calls `examine` with each row, or with each row after a key. Yields the number of rows after each read.

        Raises sqlite3.Error for a temporary error.
        """
        after = tree.first if after is None else after
        while after is not None:
            try:
                rows = self._select(tree.rows, after, ROWS_AT_ONCE)
            except _READ_ERRORS as error:
                _ensure_lasting(error)
                read, after = ROWS_AT_ONCE, self._pass_over(tree, after, examine, error)
            else:
                self._examine(tree, rows, examine)
                read = ROWS_AT_ONCE if tree.is_only_read else len(rows)
                after = self._last_key(tree, rows, after)
            yield read

    def _select(self, sql: str, after: Key, rows: int) -> list[Row]:
        found: list[Row] = self._connection.execute(sql, (*after, rows)).fetchall()
        return found

    def _examine(self, tree: Tree, rows: Sequence[Row], examine: Callable[[Row], None]) -> None:
        for row in rows:
            try:
                examine(row)
            except (ValueError, TypeError, OverflowError) as error:
                self._note_unreadable(tree, row[: len(tree.first)], row, error)

    def _note_unreadable(self, tree: Tree, key: Key, row: Row, error: Exception) -> None:
        customer_id = None if tree.customer is None else row[tree.customer]
        self._findings.note(f"{tree.name}: the row {_shown(key)} cannot be read: {error}", customer_id)

    def _last_key(self, tree: Tree, rows: Sequence[Row], after: Key) -> Key | None:
        """The key to continue after; None at the end of the tree. On damaged pages, keys may be out of order."""
        keys = [row[: len(tree.first)] for row in rows]
        try:
            is_ordered = all(earlier < later for earlier, later in zip([after, *keys], keys, strict=False))
            last = max(keys, default=after)
        except TypeError:
            is_ordered, last = False, after
        if not is_ordered:
            self._findings.note(f"{tree.name}: its keys are out of order after {_shown(after)}")
        is_end = len(rows) < (1 if tree.is_only_read else ROWS_AT_ONCE)
        return None if is_end or last == after else last

    def _pass_over(self, tree: Tree, after: Key, examine: Callable[[Row], None], error: Exception) -> Key | None:
        """Reads rows one by one after a read of several rows failed. Returns the key to continue after."""
        if tree.is_only_read:
            return self._skip(tree, after, error)
        try:
            keys = self._select(tree.keys, after, ROWS_AT_ONCE)
        except _READ_ERRORS as unreadable:
            return self._skip(tree, after, unreadable)
        previous = after
        for row in keys:
            key = row[: len(tree.first)]
            self._examine_alone(tree, previous, row, examine)
            previous = key
        return previous if len(keys) == ROWS_AT_ONCE and previous != after else None

    def _examine_alone(self, tree: Tree, previous: Key, row: Row, examine: Callable[[Row], None]) -> None:
        try:
            self._examine(tree, self._select(tree.rows, previous, 1), examine)
        except _READ_ERRORS as error:
            try:
                if tree.core is None:
                    raise
                self._examine(tree, self._select(tree.core, previous, 1), examine)
            except _READ_ERRORS:
                self._note_unreadable(tree, row[: len(tree.first)], row, error)
            else:
                self._findings.note(f"{tree.name}: an index has no readable entry of {_shown(row)}: {error}")

    def _skip(self, tree: Tree, after: Key, error: Exception) -> Key | None:
        """The next number after which rows can be read. None if none is found: the rest of the tree is skipped."""
        self._findings.note(f"{tree.name}: cannot be read after {_shown(after)}: {error}")
        step = 1
        while tree.is_numbered and step <= _MOST_SKIPPED:
            key = (after[0] + step,)
            try:
                self._select(tree.keys, key, 1)
            except _READ_ERRORS:
                step *= 2
            else:
                return key
        return None


def _ensure_lasting(error: Exception) -> None:
    """Raises the error if it is temporary."""
    if getattr(error, "sqlite_errorname", "") in _PASSING_ERRORS:
        raise error


def _shown(key: Sequence[object]) -> str:
    return ", ".join(map(str, key)) or "its start"
