"""Reads a bearer token from a file. The file may be replaced."""

import os
from pathlib import Path

import grpc

from frostgate.errors import Unauthenticated

_RIGHT = "It must contain one token and nothing else, in printable ASCII without blanks"

_State = tuple[int, int, int] | None
"""The state of a file, which changes on each write or replacement: mtime in ns, inode, size. None: no file."""


class TokenFile:
    """Provides the current token of a file. The file is read again when it has changed."""

    def __init__(self, file: str | os.PathLike[str]) -> None:
        """Reads the token. Raises ValueError if the file contains no valid token."""
        self._file = Path(file)
        self._read: tuple[_State, str] = self._token()

    def header(self) -> tuple[str, str]:
        """Returns the header for the next call. Raises Unauthenticated if the file contains no valid token."""
        if self._read[0] is None or self._read[0] != self._state():
            try:
                self._read = self._token()
            except ValueError as problem:
                raise Unauthenticated(str(problem), code=grpc.StatusCode.UNAUTHENTICATED, sent=False) from problem
        return "authorization", self._read[1]

    def _state(self) -> _State:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _token(self) -> tuple[_State, str]:
        """Returns the state of the file, and its token as a header value. Raises ValueError."""
        try:
            # Read the state first: if the token is replaced before it is read, the next call reads it again.
            state = self._state()
            text = self._file.read_bytes().decode("utf-8-sig").strip()
        except OSError as problem:
            raise ValueError(f"token_file: {self._file} cannot be read: {problem.strerror}") from problem
        except UnicodeDecodeError:
            raise ValueError(f"token_file: {self._file} is not text. {_RIGHT}") from None
        if not text:
            raise ValueError(f"token_file: {self._file} is empty. {_RIGHT}")
        wrong = next((character for character in text if not "!" <= character <= "~"), None)
        if wrong is not None:
            raise ValueError(f"token_file: {self._file} contains the character {wrong!r}. {_RIGHT}")
        return state, f"Bearer {text}"
