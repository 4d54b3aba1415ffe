"""Connections to one database file: one for each reading thread. All are closed together."""

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
"""Seconds that SQLite waits for a lock of another process."""

STEPS_BETWEEN_LOOKS = 20_000
"""Steps of SQLite's virtual machine after which a read checks whether it is still wanted. They take 0.5 ms if the rows
are in memory."""

SCHEMA_PERIOD = 1.0
"""Seconds between two comparisons of the schema. They are needed because a program can write to the schema table in a
way that does not make SQLite compile its statements again."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, without implicit transactions. Commits are synced to disk (FULL)."""
    connection = _connect(path, "rw")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that never changes the database or its -wal file, not even when it is closed."""
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
    """Opens connections to the files of a served database, and closes all of them."""

    def __init__(self, files: ServedFiles, schema: ExpectedSchema) -> None:
        """Takes the files of an existing database, with their identities when it was checked, and its schema."""
        self._files = files
        self._schema = schema
        self._size = self._page_size = 0
        self._opened: list[sqlite3.Connection] = []
        self._alarm = SchemaAlarm()
        self._watches: list[SchemaWatch] = []
        self._next_look = monotonic() + SCHEMA_PERIOD

    def open(self) -> sqlite3.Connection:
        """Opens one more connection and its files. Raises FilesChanged, sqlite3.Error.

        The files are checked twice. Before opening, because SQLite would create a missing -wal file. After opening,
        because SQLite opens files by name.
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
        """Compares the schema of a connection, and watches it. Raises sqlite3.DatabaseError if it differs."""
        watch = SchemaWatch(connection, self._schema, self._alarm)
        self._watches.append(watch)
        return watch

    def look_at_schema(self, reading: "ReadingConnection") -> None:
        """Compares the schema if SCHEMA_PERIOD has passed since the last time. Call it more often than that.

        If the schema differs, the next read of each connection fails. Raises sqlite3.Error, OSError.
        """
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
        """Raises FilesChanged if a file was removed, replaced or truncated since the database was opened.

        `frames` is the minimum number of frames in the -wal file.
        """
        sizes = self._files.ensure_same()
        if sizes[""] < self._size:
            raise FilesChanged(f"{self._files.path} was truncated while it was served")
        if sizes["-wal"] < bytes_of_frames(frames, self._page_size):
            raise FilesChanged(f"{self._files.path}-wal was truncated while it was served")
        self._size = sizes[""]

    def close(self) -> None:
        """Closes all connections. No thread may use one at that time."""
        for connection in self._opened:
            connection.close()


class ReadingConnection(threading.local):
    """The read-only `connection` of the calling thread. It is opened when the thread first uses it.

    If `schema.in_doubt` is set after a read, the read must be confirmed.
    """

    def __init__(self, connections: Connections) -> None:
        """Runs once in each thread. Raises sqlite3.Error, OSError."""
        self.connection = connections.open()
        self.connection.execute("PRAGMA query_only = ON")
        self.schema = connections.watch_schema(self.connection)


@contextmanager
def interruptible(connection: sqlite3.Connection, still_wanted: Callable[[], bool]) -> Iterator[None]:
    """For long reads: SQLite stops with SQLITE_INTERRUPT once `still_wanted` returns False."""
    connection.set_progress_handler(partial(_is_unwanted, still_wanted), STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _is_unwanted(still_wanted: Callable[[], bool]) -> bool:
    return not still_wanted()
