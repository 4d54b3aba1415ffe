"""Connections to one database file: one for each thread that reads, all closed together."""

import threading
from pathlib import Path

from .driver import sqlite3

BUSY_TIMEOUT = 5.0
"""How long SQLite waits for a lock that another process holds, in seconds."""

FileIdentity = tuple[int, int]
"""Tells a file from every other one, whatever their names: device and inode."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, without transactions of its own making. Commits are on disk (FULL)."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Connections:
    """Opens connections and closes all that it opened."""

    def __init__(self, path: Path, file: FileIdentity) -> None:
        """Takes the path of an existing database, and which file it was when it was found sound."""
        self._path = path
        self._file = file
        self._opened: list[sqlite3.Connection] = []

    def open(self) -> sqlite3.Connection:
        """A connection more."""
        connection = connect(self._path)
        self.ensure_same_file()
        self._opened.append(connection)
        return connection

    def ensure_same_file(self) -> None:
        """Raises OSError if another file, or none, stands where the database was opened."""
        if identity(self._path) != self._file:
            raise OSError(f"{self._path} was replaced while it was served")

    def close(self) -> None:
        """Closes them all. No thread may be using one."""
        for connection in self._opened:
            connection.close()


class ReadingConnection(threading.local):
    """The calling thread's own `connection`, for reading: opened when the thread first asks for it."""

    def __init__(self, connections: Connections) -> None:
        """Runs in each thread. Raises sqlite3.Error, OSError."""
        self.connection = connections.open()
        self.connection.execute("PRAGMA query_only = ON")


def identity(path: Path) -> FileIdentity:
    """Which file stands under a name. Raises OSError."""
    status = path.stat()
    return status.st_dev, status.st_ino
