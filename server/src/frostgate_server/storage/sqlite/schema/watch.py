"""Detects changes of the schema while a database is served, so that no read or change uses an unverified schema.

When the schema has changed, SQLite compiles the statements of a connection again, and calls the authorizer of the
connection. So a watch costs nothing while statements run that are already compiled.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from frostgate_server.storage.sqlite.driver import sqlite3

from .comparison import ExpectedSchema, ensure_same, read_schema

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_WITHOUT_SCHEMA = frozenset({sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT})
"""Actions that do not depend on the schema."""


class SchemaAlarm:
    """Logs once in a process that the schema was changed, and once that it is correct again."""

    def __init__(self) -> None:
        """No change is known yet."""
        self._lock = Lock()
        self._said = ""

    def begin(self, difference: str) -> None:
        """Logs that the schema differs. `difference` names the object."""
        with self._lock:
            if difference != self._said:
                self._said = difference
                _log.critical("%s: checks, reads and changes are refused until it is correct again", difference)

    def end(self) -> None:
        """Logs that the schema is correct again, if it differed before."""
        with self._lock:
            if self._said:
                self._said = ""
                _log.warning("the schema is correct again")


class SchemaWatch:
    """Tells whether statements of a connection may have used an unverified schema.

    `in_doubt` is set when a statement is compiled. It is a plain attribute, since every check looks at it.
    """

    def __init__(self, connection: sqlite3.Connection, expected: ExpectedSchema, alarm: SchemaAlarm) -> None:
        """Compares the schema of a connection without a transaction.

        Raises sqlite3.DatabaseError, which names the first difference.
        """
        self.in_doubt = True
        self._expected = expected
        self._alarm = alarm
        self._version: int | None = None
        connection.set_authorizer(self._note)
        with _one_state(connection):
            self.compare(connection)

    def confirm(self, connection: sqlite3.Connection, read: Callable[[], _Result]) -> _Result:
        """Compares the schema, and repeats a read in the same transaction. Raises the same errors as `compare`."""
        with _one_state(connection):
            self.compare(connection)
            result = read()
        self.in_doubt = False
        return result

    def compare(self, connection: sqlite3.Connection) -> None:
        """Compares the schema within a transaction. The result is valid until the transaction ends.

        Raises sqlite3.DatabaseError, which names the first difference.
        """
        ((version,),) = connection.execute("PRAGMA schema_version").fetchall()
        if version != self._version:
            # Makes SQLite read the schema again, from the compared state. The pragma takes effect when it is compiled,
            # so its text must differ for each version.
            connection.execute(f"PRAGMA writable_schema = RESET -- {version}")
        try:
            ensure_same(self._expected, read_schema(connection))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._alarm.begin(str(error))
            raise
        self._alarm.end()
        self._version = version
        self.in_doubt = False

    def _note(self, action: int, *_: str | None) -> int:
        """The authorizer. It allows everything."""
        if action not in _WITHOUT_SCHEMA:
            self.in_doubt = True
        return int(sqlite3.SQLITE_OK)


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads see the same state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
