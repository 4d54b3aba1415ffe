"""Kinds for files and addresses."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from frostgate_server.config.addresses import MOST_SOCKET_PATH, is_unix
from frostgate_server.domain.partner import is_address

from .kind import Kind

_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class FilePath(Kind[Path]):
    """The path of a file, which need not exist."""

    @property
    def rule(self) -> str:
        return "must name a file"

    def read(self, text: str) -> Path:
        if "\0" in text or not Path(text).name:
            raise ValueError(self.rule)
        return Path(text)


@dataclass(frozen=True, slots=True)
class DirectoryPath(Kind[Path]):
    """The path of a directory, which need not exist."""

    @property
    def rule(self) -> str:
        return "must name a directory"

    def read(self, text: str) -> Path:
        if "\0" in text or not text:
            raise ValueError(self.rule)
        return Path(text)


@dataclass(frozen=True, slots=True)
class OutputFile(Kind[str]):
    """The path of a file to write to, or - for stdout. Empty: none."""

    @property
    def rule(self) -> str:
        return FilePath().rule

    def read(self, text: str) -> str:
        return text if text in {"", "-"} else str(FilePath().read(text))


@dataclass(frozen=True, slots=True)
class Address(Kind[str]):
    """HOST:PORT, or [HOST]:PORT for IPv6. Empty: none.

    `unix` allows unix:/path. `word` is one word that is allowed in place of an address.
    """

    least_port: int = 0
    unix: bool = False
    word: str = ""

    @property
    def rule(self) -> str:
        others = [", or unix:/path" if self.unix else "", f", or {self.word}" if self.word else ""]
        return f"must be HOST:PORT with a port from {self.least_port} to {_MOST_PORT}{''.join(others)}"

    def read(self, text: str) -> str:
        if text in {"", self.word}:
            return text
        if self.unix and is_unix(text):
            return self._read_socket(text)
        match = _HOST_AND_PORT.fullmatch(text)
        if match is None or not self.least_port <= int(match["port"]) <= _MOST_PORT:
            raise ValueError(self.rule)
        return text

    def _read_socket(self, text: str) -> str:
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError(self.rule)
        if len(os.fsencode(path)) > MOST_SOCKET_PATH:
            raise ValueError(f"must have at most {MOST_SOCKET_PATH} bytes after unix:")
        if "%" in path or "\0" in path:
            # gRPC decodes the path like the path of a URL, so it would listen at another path.
            raise ValueError("must have no % and no NUL after unix:")
        return text


@dataclass(frozen=True, slots=True)
class EmailAddress(Kind[str]):
    """An e-mail address. Empty: none."""

    @property
    def rule(self) -> str:
        return "must be an e-mail address, such as codes@example.org"

    def read(self, text: str) -> str:
        if text and not is_address(text):
            raise ValueError(self.rule)
        return text
