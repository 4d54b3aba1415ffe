"""The files that belong to a database."""

from pathlib import Path

FILE_ENDINGS = ("", "-wal", "-shm", "-head", "-lock", "-key")
"""Of the files that belong to a database, behind its name."""


def head_path(path: Path) -> Path:
    """Where the head file of a database is."""
    return path.with_name(path.name + "-head")


def key_path(path: Path) -> Path:
    """Where the key for verification codes is, unless a setting names another file."""
    return path.with_name(path.name + "-key")
