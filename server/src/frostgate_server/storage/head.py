"""The head of a history: the state of a database at one moment, as it is in the head file and in exports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import GENESIS


@dataclass(frozen=True, slots=True)
class Head:
    """The database id, the revision and the hash of the last event; and the last number and hash of the audit log."""

    database_id: str
    revision: int
    hash: str
    audit_sequence: int = 0
    audit_hash: str = GENESIS

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Head":
        """A head from its `fields`. Raises KeyError for a missing field, and TypeError for one of the wrong type."""
        names = ("database_id", "revision", "hash", "audit_sequence", "audit_hash")
        head = cls(*(fields[name] for name in names))
        if [type(value) for value in head.fields().values()] != [str, int, str, int, str]:
            raise TypeError("not the fields of a head")
        return head

    def fields(self) -> dict[str, str | int]:
        """The fields as they are in files. Names and order never change: the checksum of a line covers them."""
        return {
            "database_id": self.database_id,
            "revision": self.revision,
            "hash": self.hash,
            "audit_sequence": self.audit_sequence,
            "audit_hash": self.audit_hash,
        }

    @property
    def place(self) -> tuple[int, int]:
        """The revision and the number of the last audit entry. It increases with every change."""
        return self.revision, self.audit_sequence


def read_heads(file: Path) -> list[Head]:
    """The heads in an export file, at least one. Raises StartupError, which names the first invalid line."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"exported heads cannot be read from {file}: {error}") from error
    heads = [_read_head_line(file, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not heads:
        raise StartupError(f"exported heads cannot be read from {file}: there are none")
    return heads


def _read_head_line(file: Path, number: int, line: str) -> Head:
    refused = f"exported heads cannot be read from {file}, line {number}"
    try:
        fields = json.loads(line)
        return Head.from_fields(fields)
    except KeyError as error:
        raise StartupError(f"{refused}: the field {error} is missing") from error
    except TypeError as error:
        raise StartupError(f"{refused}: it is not a head") from error
    except (ValueError, RecursionError) as error:
        raise StartupError(f"{refused}: {error}") from error
