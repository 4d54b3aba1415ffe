"""The identities of a database's files.

A file that is replaced keeps its name, but is another file. Processes that serve one database must use the same files:
with two -wal files there would be two histories.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .paths import beside

FileIdentity = tuple[int, int]
"""Tells a file from every other one, whatever their names: device and inode."""

FileIdentities = Mapping[str, FileIdentity]
"""The identities of a database's files, by the endings of their names."""


class FilesChanged(OSError):
    """A file of the database was removed, replaced or cut while the database was served. Names the file."""


def identity(path: Path) -> FileIdentity:
    """Which file stands under a name. Raises OSError."""
    return _identity(path.stat())


def identities(path: Path, endings: Iterable[str]) -> dict[str, FileIdentity]:
    """The identities of files of the database at `path`. Raises OSError if one is missing."""
    return {ending: identity(beside(path, ending)) for ending in endings}


class ServedFiles:
    """The files of a database at `path`, as they were when it was opened."""

    def __init__(self, path: Path, known: FileIdentities) -> None:
        """Knows the identities of some of the files."""
        self.path = path
        self._known = dict(known)
        self._names = {ending: str(beside(path, ending)) for ending in known}

    @property
    def known(self) -> FileIdentities:
        """The identities that are known."""
        return dict(self._known)

    def learn(self, *endings: str) -> None:
        """Takes note of the identities of files that were not known before. Raises OSError if one is missing."""
        for ending, found in identities(self.path, set(endings) - self._known.keys()).items():
            self._known[ending] = found
            self._names[ending] = str(beside(self.path, ending))

    def ensure_same(self) -> dict[str, int]:
        """The sizes of the known files in bytes, by their endings.

        Raises FilesChanged if one is not there any more, or another one stands in its place.
        """
        return {ending: self._status(ending).st_size for ending in self._known}

    def _status(self, ending: str) -> os.stat_result:
        name = self._names[ending]
        try:
            status = os.stat(name)  # noqa: PTH116 - in each commit; a Path costs as much as the call
        except (FileNotFoundError, NotADirectoryError):
            raise FilesChanged(f"{name} was removed while it was served") from None
        if _identity(status) != self._known[ending]:
            raise FilesChanged(f"{name} was replaced while it was served")
        return status


def _identity(status: os.stat_result) -> FileIdentity:
    return status.st_dev, status.st_ino
