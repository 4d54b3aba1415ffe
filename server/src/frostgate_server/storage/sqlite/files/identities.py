"""The identities of a database's files.

A file that replaces another one has the same name, but another identity. All processes that serve a database must use
the same files: with two -wal files there would be two histories.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .paths import beside

FileIdentity = tuple[int, int]
"""Identifies a file independently of its name, by device and inode."""

FileIdentities = Mapping[str, FileIdentity]
"""The identities of a database's files, by the suffixes of their names."""


class FilesChanged(OSError):
    """A file of the database was removed, replaced or truncated while the database was served. Names the file."""


def identity(path: Path) -> FileIdentity:
    """The identity of the file at a path. Raises OSError."""
    return _identity(path.stat())


def identities(path: Path, endings: Iterable[str]) -> dict[str, FileIdentity]:
    """The identities of files of the database at `path`. Raises OSError if one is missing."""
    return {ending: identity(beside(path, ending)) for ending in endings}


class ServedFiles:
    """The files of a database at `path`, with their identities when it was opened."""

    def __init__(self, path: Path, known: FileIdentities) -> None:
        """`known` are the identities of some of the files."""
        self.path = path
        self._known = dict(known)
        self._names = {ending: str(beside(path, ending)) for ending in known}

    @property
    def known(self) -> FileIdentities:
        """The known identities."""
        return dict(self._known)

    def learn(self, *endings: str) -> None:
        """Records the identities of files that are not known yet. Raises OSError if one is missing."""
        for ending, found in identities(self.path, set(endings) - self._known.keys()).items():
            self._known[ending] = found
            self._names[ending] = str(beside(self.path, ending))

    def ensure_same(self) -> dict[str, int]:
        """The sizes of the known files in bytes, by their suffixes.

        Raises FilesChanged if a file was removed or replaced.
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
