"""Values made of files that may be replaced while the server runs: the last good one counts."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from frostgate_server.domain.errors import StartupError

LARGEST_FILE = 1024 * 1024

_Value = TypeVar("_Value")

Contents = tuple[bytes, ...]
"""Of files that are read together."""

Say = Callable[[int, str], object]
"""Takes the level and the text of a line for the log."""


class ReloadableFile(Generic[_Value]):
    """The last good value of some files. Their contents are compared, so that no way of replacing them goes unseen.

    `value` was made by `parse` of `contents`. Other threads may read it while it is replaced.
    """

    def __init__(self, name: str, paths: Sequence[Path], parse: Callable[..., _Value], contents: Contents | None):
        """Starts with `contents` that were good before, or with what stands in the files. Raises StartupError."""
        self.name = name
        self._paths = paths
        self._parse = parse
        self._refused: tuple[Contents | None, StartupError | None] = (None, None)
        self._trouble = ""
        self.contents = self._read() if contents is None else contents
        self.value = self._parsed(self.contents)

    def look(self, say: Say) -> None:
        """Takes what stands in the files now, if it is good. Says what is new, once."""
        try:
            replaced = self._take()
        except StartupError as error:
            known, self._trouble = self._trouble, str(error)
            if self._trouble != known:
                say(logging.ERROR, f"{error}; what was there before still counts")
            return
        self._trouble = ""
        if replaced:
            say(logging.INFO, f"{self.name} was replaced")

    def _take(self) -> bool:
        contents = self._read()
        if contents == self.contents:
            return False
        refused, error = self._refused
        if error is not None and contents == refused:
            raise error
        try:
            self.value = self._parsed(contents)
        except StartupError as bad:
            self._refused = (contents, bad)
            raise
        self.contents = contents
        return True

    def _read(self) -> Contents:
        try:
            return tuple(map(_content, self._paths))
        except OSError as error:
            raise StartupError(f"{self.name} cannot be read: {error}") from error

    def _parsed(self, contents: Contents) -> _Value:
        try:
            return self._parse(*contents)
        except Exception as error:
            raise StartupError(f"{self.name} ({', '.join(map(str, self._paths))}) cannot be used: {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(f"{path} has more than {LARGEST_FILE} bytes")
    return content
