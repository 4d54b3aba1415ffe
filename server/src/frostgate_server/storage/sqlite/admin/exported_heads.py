"""Reads the head in the head file of a database."""

from contextlib import closing
from pathlib import Path

from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.head import Head
from frostgate_server.storage.sqlite.files.head_file import HeadFile, HeadFileDamaged
from frostgate_server.storage.sqlite.files.identities import identity
from frostgate_server.storage.sqlite.files.paths import head_path
from frostgate_server.storage.sqlite.opening import PreparedSqliteDatabase


def current_head(prepared: PreparedSqliteDatabase) -> Head:
    """The head in the head file of a served database. Raises StartupError, and OSError if the file was replaced."""
    if identity(head_path(prepared.path)) != prepared.files["-head"]:
        raise OSError(f"{head_path(prepared.path)} was replaced while it was served")
    for head in read_head_file(prepared.path):
        return head
    raise OSError(f"{head_path(prepared.path)} contains no head")


def read_head_file(path: Path) -> list[Head]:
    """The head in the head file, if there is one. Read it before the database, which may change meanwhile."""
    try:
        with closing(HeadFile(head_path(path), create=False, read_only=True)) as file:
            return [file.head] if file.head else []
    except FileNotFoundError:
        return []
    except HeadFileDamaged as error:
        raise DatabaseInconsistent(f"the head file: {error}") from error
