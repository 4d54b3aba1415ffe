"""Values made of files that may be replaced while the server runs: the last good one counts."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from frostgate_server.config.usable import Usable
from frostgate_server.domain.errors import StartupError

LARGEST_FILE = 1024 * 1024

_Value = TypeVar("_Value")

Contents = tuple[bytes, ...]
"""Of files that are read together."""

Say = Callable[[int, str], object]
"""Takes the level and the text of a line for the log."""


class ReloadableFile(Generic[_Value]):
    """The last good value of some files. Their contents are compared, so that no way of replacing them goes unseen.

    `value` was made by `parse` of `contents`. Other threads may read it while it is replaced. `passed_over` names what
    `parse` left out. An item that has expired stays in the value: its users refuse it.
    """

    def __init__(
        self, name: str, paths: Sequence[Path], parse: Callable[..., Usable[_Value]], contents: Contents | None
    ):
        """Starts with `contents` that were good before, or with what stands in the files. Raises StartupError."""
        self.name = name
        self._paths = paths
        self._parse = parse
        self._refused: tuple[Contents | None, StartupError | None] = (None, None)
        self._trouble = ""
        self.contents = self._read() if contents is None else contents
        parsed = self._parsed(self.contents)
        self.value, self.passed_over, self._validities = parsed.value, parsed.passed_over, parsed.validities
        self._unsaid = self.passed_over
        self._said_invalid: list[str] = []

    def look(self, say: Say) -> None:
        """Uses the current contents of the files if they are valid.

        Logs new contents, ignored entries and certificates that have expired once.
        """
        self._look_for_replacement(say)
        known, self._said_invalid = self._said_invalid, self._not_valid_now()
        for line in self._said_invalid:
            if line not in known:
                say(logging.ERROR, line)

    def _look_for_replacement(self, say: Say) -> None:
        try:
            replaced = self._take()
        except StartupError as error:
            known, self._trouble = self._trouble, str(error)
            if self._trouble != known:
                say(logging.ERROR, f"{error}; the previous content stays in force")
            return
        self._trouble = ""
        if replaced:
            say(logging.INFO, f"{self.name} was replaced")
        unsaid, self._unsaid = self._unsaid, ()
        for line in self._warnings(unsaid):
            say(logging.WARNING, line)

    def warnings(self) -> list[str]:
        """A line for each ignored entry, and for each certificate that is not valid now."""
        return [*self._warnings(self.passed_over), *self._not_valid_now()]

    def _not_valid_now(self) -> list[str]:
        now = datetime.now(UTC)
        problems = [validity.problem(now) for validity in self._validities]
        return [f"{self._shown}: {problem}" for problem in problems if problem]

    def _warnings(self, problems: Sequence[str]) -> list[str]:
        return [f"{self._shown}: ignored {problem}" for problem in problems]

    def _take(self) -> bool:
        contents = self._read()
        if contents == self.contents:
            return False
        refused, error = self._refused
        if error is not None and contents == refused:
            raise error
        try:
            parsed = self._parsed(contents)
        except StartupError as bad:
            self._refused = (contents, bad)
            raise
        self.contents, self.value, self._validities = contents, parsed.value, parsed.validities
        self.passed_over = self._unsaid = parsed.passed_over
        return True

    def _read(self) -> Contents:
        try:
            return tuple(map(_content, self._paths))
        except OSError as error:
            raise StartupError(f"{self.name} cannot be read: {error}") from error

    @property
    def _shown(self) -> str:
        return f"{self.name} ({', '.join(map(str, self._paths))})"

    def _parsed(self, contents: Contents) -> Usable[_Value]:
        try:
            return self._parse(*contents)
        except Exception as error:
            raise StartupError(f"{self._shown} cannot be used: {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(f"{path} has more than {LARGEST_FILE} bytes")
    return content
