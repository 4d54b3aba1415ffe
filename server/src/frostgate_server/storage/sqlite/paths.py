"""The files that belong to a database."""

import os
from pathlib import Path

FILE_ENDINGS = ("", "-wal", "-shm", "-head", "-lock", "-key")
"""Of the files that belong to a database, behind its name."""


def head_path(path: Path) -> Path:
    """Where the head file of a database is."""
    return path.with_name(path.name + "-head")


def make_name_durable(path: Path) -> None:
    """Makes sure that a file that was made or renamed is found under its name after a power cut."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
