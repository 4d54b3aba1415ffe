"""The files that belong to a database."""

from pathlib import Path

FILE_ENDINGS = ("", "-wal", "-shm", "-head", "-lock", "-key", "-check", "-reserve")
"""Of the files that belong to a database, behind its name."""

WAL_ENDINGS = ("-wal", "-shm")
"""Of the files that SQLite makes when the database is opened: the write-ahead log, and its index."""


def beside(path: Path, ending: str) -> Path:
    """The file of the database at `path` whose name has this ending."""
    return path.with_name(path.name + ending)


def head_path(path: Path) -> Path:
    """Where the head file of a database is."""
    return beside(path, "-head")


def lock_path(path: Path) -> Path:
    """Where the file is that is locked by the server of a database."""
    return beside(path, "-lock")


def key_path(path: Path) -> Path:
    """Where the key for verification codes is, unless a setting names another file."""
    return beside(path, "-key")


def check_path(path: Path) -> Path:
    """Where the background check of the record writes its report."""
    return beside(path, "-check")
