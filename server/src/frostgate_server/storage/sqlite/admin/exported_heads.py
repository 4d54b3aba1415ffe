"""Heads of the history that were written down outside of the database: in the head file, or exported."""

import json
from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.sqlite.connections import identity
from frostgate_server.storage.sqlite.head_file import Head, HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.opening import Prepared
from frostgate_server.storage.sqlite.paths import head_path


class DoesNotFit(StartupError):
    """The first thing in a database that does not fit the rest."""


def read_heads(file: Path) -> list[Head]:
    """The heads in a file that they were exported to, at least one. Raises StartupError, which names the bad line."""
    try:
        lines = file.read_text("utf-8").splitlines()
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


def current_head(prepared: Prepared) -> Head:
    """The head that the served database's head file remembers. Raises StartupError, OSError if it is another file."""
    if identity(head_path(prepared.path)) != prepared.head_file:
        raise OSError(f"{head_path(prepared.path)} was replaced while it was served")
    for head in remembered_heads(prepared.path):
        return head
    raise OSError(f"{head_path(prepared.path)} holds no head")


def remembered_heads(path: Path) -> list[Head]:
    """What the head file remembers, before the database is looked at, which may go on meanwhile."""
    try:
        with closing(HeadFile(head_path(path), create=False)) as file:
            return [file.head] if file.head else []
    except FileNotFoundError:
        return []
    except HeadFileDamaged as error:
        raise DoesNotFit(f"the head file: {error}") from error
