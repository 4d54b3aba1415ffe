"""What may happen to a file of a database while the database is served.

Everything is done by other processes: a process that closes such a file loses all its locks on it.
"""

from collections.abc import Callable
from pathlib import Path

from support.processes import output

ENDINGS = ("", "-wal", "-shm", "-head")
"""Of the files that a server has open."""

Tamper = Callable[[Path, Path], None]
"""Takes a file, and an older copy of it."""


def copy_all(database: Path, to: Path) -> Path:
    """Copies the files of a database, and gives the copy of the database itself."""
    to.mkdir()
    for ending in ENDINGS:
        output("cp", f"{database}{ending}", to)
    return to / database.name


def remove(file: Path, _: Path) -> None:
    output("rm", file)


def replace_by_a_copy(file: Path, _: Path) -> None:
    output("cp", file, f"{file}.copy")
    output("mv", f"{file}.copy", file)


def replace_by_an_older_one(file: Path, older: Path) -> None:
    output("cp", older, f"{file}.copy")
    output("mv", f"{file}.copy", file)


def overwrite_by_an_older_one(file: Path, older: Path) -> None:
    output("cp", older, file)


def empty(file: Path, _: Path) -> None:
    output("truncate", "--size=0", file)


REPLACEMENTS: tuple[Tamper, ...] = (remove, replace_by_a_copy, replace_by_an_older_one)
"""Afterwards another file stands under the name, or none."""

OVERWRITINGS: tuple[Tamper, ...] = (overwrite_by_an_older_one, empty)
"""Afterwards the same file has other content."""
