"""The head of a history: where a database stood at some moment, as it is kept beside the database and exported."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import GENESIS


@dataclass(frozen=True, slots=True)
class Head:
    """Where a history stands: of which database, at which revision, with which hash of the last event; and the same of
    its audit log."""

    database_id: str
    revision: int
    hash: str
    audit_sequence: int = 0
    audit_hash: str = GENESIS

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Head":
        """A head from its `fields`. Raises KeyError for a missing one, TypeError for one of another type."""
        names = ("database_id", "revision", "hash", "audit_sequence", "audit_hash")
        head = cls(*(fields[name] for name in names))
        if [type(value) for value in head.fields().values()] != [str, int, str, int, str]:
            raise TypeError("not the fields of a head")
        return head

    def fields(self) -> dict[str, str | int]:
        """The fields as they stand in files. Names and order are for ever: the checksum of a line is over them."""
        return {
            "database_id": self.database_id,
            "revision": self.revision,
            "hash": self.hash,
            "audit_sequence": self.audit_sequence,
            "audit_hash": self.audit_hash,
        }

    @property
    def place(self) -> tuple[int, int]:
        """Grows with every change."""
        return self.revision, self.audit_sequence


def read_heads(file: Path) -> list[Head]:
    """The heads in a file that they were exported to, at least one. Raises StartupError, which names the bad line."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"exported heads cannot be read from {file}: {error}") from error
    heads = [_read_head_line(file, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not heads:
        raise StartupError(f"exported heads cannot be read from {file}: there are none")
    return heads


def _read_head_line(file: Path, number: int, line: str) -> Head:
    try:
        fields = json.loads(line)
        return Head.from_fields(fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StartupError(f"exported heads cannot be read from {file}, line {number}: {error}") from error
