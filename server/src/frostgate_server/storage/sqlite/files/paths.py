"""The files that belong to a database."""

from pathlib import Path

FILE_ENDINGS = ("", "-wal", "-shm", "-head", "-lock", "-key", "-check", "-reserve")
"""Suffixes of the files of a database, after its name."""

WAL_ENDINGS = ("-wal", "-shm")
"""Suffixes of the files that SQLite creates when the database is opened: the write-ahead log and its index."""


def beside(path: Path, ending: str) -> Path:
    """The path of the file with this suffix, of the database at `path`."""
    return path.with_name(path.name + ending)


def head_path(path: Path) -> Path:
    """The path of the head file of a database."""
    return beside(path, "-head")


def lock_path(path: Path) -> Path:
    """The path of the lock file of a database."""
    return beside(path, "-lock")


def key_path(path: Path) -> Path:
    """The default path of the key for verification codes."""
    return beside(path, "-key")


def check_path(path: Path) -> Path:
    """The path of the report of the background check."""
    return beside(path, "-check")
