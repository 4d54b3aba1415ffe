"""Connections to one database file: one for each thread that reads, all closed together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from .driver import sqlite3
from .files.disk_room import ensure_room
from .files.identities import FilesChanged, ServedFiles
from .files.paths import WAL_ENDINGS
from .files.write_ahead_log import bytes_of_frames
from .schema.comparison import ExpectedSchema
from .schema.watch import SchemaAlarm, SchemaWatch

BUSY_TIMEOUT = 5.0
"""How long SQLite waits for a lock that another process holds, in seconds."""

STEPS_BETWEEN_LOOKS = 20_000
"""How many steps of SQLite's virtual machine a read takes until it looks whether it is still wanted: 0.5 ms of reading
rows that are in memory."""

SCHEMA_PERIOD = 1.0
"""Seconds between two looks at the schema where no statement is compiled: a program that writes to the table of the
schema itself need not tell SQLite so."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, without transactions of its own making. Commits are on disk (FULL)."""
    connection = _connect(path, "rw")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes neither the database nor its -wal file, not even when it is closed."""
    return _connect(path, "ro")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )


class Connections:
    """Opens connections to the files of a served database, and closes all that it opened."""

    def __init__(self, files: ServedFiles, schema: ExpectedSchema) -> None:
        """Takes the files of an existing database, as they were when it was found sound, and its schema."""
        self._files = files
        self._schema = schema
        self._size = self._page_size = 0
        self._opened: list[sqlite3.Connection] = []
        self._alarm = SchemaAlarm()
        self._watches: list[SchemaWatch] = []
        self._next_look = monotonic() + SCHEMA_PERIOD

    def open(self) -> sqlite3.Connection:
        """A connection more, whose files are open. Raises FilesChanged, sqlite3.Error.

        The files are looked at twice. Before: SQLite would make a missing -wal anew. Afterwards: SQLite opens by name.
        """
        self._files.ensure_same()
        connection = connect(self._files.path)
        try:
            connection.execute("SELECT revision FROM head").fetchall()
            ((self._page_size,),) = connection.execute("PRAGMA page_size").fetchall()
            self._files.learn(*WAL_ENDINGS)
            self._size = max(self._size, self._files.ensure_same()[""])
        except BaseException:
            connection.close()
            raise
        self._opened.append(connection)
        return connection

    def watch_schema(self, connection: sqlite3.Connection) -> SchemaWatch:
        """Compares the schema that a connection sees, and watches it. Raises sqlite3.DatabaseError if it differs."""
        watch = SchemaWatch(connection, self._schema, self._alarm)
        self._watches.append(watch)
        return watch

    def look_at_schema(self, reading: "ReadingConnection") -> None:
        """Compares the schema, once in a SCHEMA_PERIOD: to be called more often than that. If it differs, the next read
        of each connection notices it. Raises sqlite3.Error, OSError."""
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + SCHEMA_PERIOD
        try:
            reading.schema.confirm(reading.connection, lambda: None)
        except sqlite3.DatabaseError:
            for watch in self._watches:
                watch.in_doubt = True
            raise

    def ensure_room(self) -> None:
        """Raises FilesChanged, or OSError if the disk has no room for changes."""
        self._files.ensure_same()
        try:
            ensure_room(self._files.path)
        except OSError as error:
            raise OSError(error.errno, f"nothing can be written beside {self._files.path}: {error.strerror}") from error

    def ensure_same_files(self, frames: int) -> None:
        """Raises FilesChanged if a file was removed, replaced or cut since the database was opened.

        Takes the number of frames that the -wal file has at least.
        """
        sizes = self._files.ensure_same()
        if sizes[""] < self._size:
            raise FilesChanged(f"{self._files.path} was cut while it was served")
        if sizes["-wal"] < bytes_of_frames(frames, self._page_size):
            raise FilesChanged(f"{self._files.path}-wal was cut while it was served")
        self._size = sizes[""]

    def close(self) -> None:
        """Closes them all. No thread may be using one."""
        for connection in self._opened:
            connection.close()


class ReadingConnection(threading.local):
    """The calling thread's own `connection`, for reading: opened when the thread first asks for it.

    A read that leaves its `schema` in doubt must be confirmed.
    """

    def __init__(self, connections: Connections) -> None:
        """Runs in each thread. Raises sqlite3.Error, OSError."""
        self.connection = connections.open()
        self.connection.execute("PRAGMA query_only = ON")
        self.schema = connections.watch_schema(self.connection)


@contextmanager
def interruptible(connection: sqlite3.Connection, still_wanted: Callable[[], bool]) -> Iterator[None]:
    """Around reads that may take long: SQLite stops with SQLITE_INTERRUPT once they are not wanted any more."""
    connection.set_progress_handler(partial(_is_unwanted, still_wanted), STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _is_unwanted(still_wanted: Callable[[], bool]) -> bool:
    return not still_wanted()
