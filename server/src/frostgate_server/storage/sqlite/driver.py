"""The one SQLite library of the process, and the only module that imports it.

Two SQLite libraries in a process undo each other's file locks, and acknowledged commits are lost. sqlite-utils takes
pysqlite3 where it is installed, as here, but its hook specifications import the standard library's module by name:
that name is given ours before it can.

sqlite-utils is loaded when it is first needed: only migrations use it, and workers, which make none, start sooner. It
also loads numpy and pandas where they are installed, to store their types. The server stores none: while sqlite-utils
is imported, they are hidden.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pysqlite3 as sqlite3

from frostgate_server.domain.errors import StartupError

if TYPE_CHECKING:
    from types import ModuleType

    from sqlite_utils import Database, Migrations

sys.modules.setdefault("sqlite3", sqlite3)

FIRST_SOUND_VERSION = (3, 51, 3)
"""Before it, down to 3.7.0, two connections could lose committed data when the write-ahead log was reset."""

__all__ = ["ensure_sound", "new_database", "new_migrations", "sqlite3"]


def ensure_sound(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> None:
    """Raises StartupError for an SQLite that loses data."""
    if version < FIRST_SOUND_VERSION:
        found, needed = (".".join(map(str, v)) for v in (version, FIRST_SOUND_VERSION))
        raise StartupError(
            f"SQLite {found} can lose committed data (the WAL-reset bug); {needed} or later is needed: "
            "install a newer pysqlite3"
        )


def new_database(connection: sqlite3.Connection) -> "Database":
    """A connection as sqlite-utils sees it. Raises StartupError if sqlite-utils runs on another SQLite library."""
    return _load_sqlite_utils().Database(connection)  # type: ignore[no-any-return]


def new_migrations(name: str) -> "Migrations":
    """An empty set of migrations. Raises as `new_database`."""
    return _load_sqlite_utils().Migrations(name)  # type: ignore[no-any-return]


def _load_sqlite_utils() -> "ModuleType":
    with _hidden("numpy", "pandas"):
        import sqlite_utils  # noqa: PLC0415
    if vars(sqlite_utils.utils)["sqlite3"] is not sqlite3:
        raise StartupError("sqlite-utils runs on another SQLite library than frostgate: reinstall frostgate-server")
    return sqlite_utils


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Modules that are not loaded yet cannot be imported in the block."""
    absent = [name for name in names if name not in sys.modules]
    # The type of sys.modules has no None, by which the import of a module fails.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
