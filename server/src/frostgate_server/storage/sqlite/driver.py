"""The only module that imports the SQLite library. A process must use exactly one SQLite library.

Two SQLite libraries in a process release each other's file locks, and acknowledged commits are lost. sqlite-utils uses
pysqlite3 if it is installed, as here. But its hook specifications import the standard library's `sqlite3` by name. So
this module first registers pysqlite3 under that name.

sqlite-utils is loaded when it is first needed. Only migrations use it, and workers run no migrations, so they start
faster. It also loads numpy and pandas if they are installed, to store their types. The server does not store such
types, so both are hidden while sqlite-utils is imported.
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
"""In earlier versions, from 3.7.0 on, two connections can lose committed data when the write-ahead log is reset."""

__all__ = ["ensure_sound", "new_database", "new_migrations", "sqlite3"]


def ensure_sound(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> None:
    """Raises StartupError for an SQLite version that can lose committed data."""
    if version < FIRST_SOUND_VERSION:
        found, needed = (".".join(map(str, v)) for v in (version, FIRST_SOUND_VERSION))
        raise StartupError(
            f"SQLite {found} can lose committed data (the WAL-reset bug); {needed} or later is needed: "
            "install a newer pysqlite3"
        )


def new_database(connection: sqlite3.Connection) -> "Database":
    """A sqlite-utils database for a connection. Raises StartupError if sqlite-utils uses another SQLite library."""
    return _load_sqlite_utils().Database(connection)  # type: ignore[no-any-return]


def new_migrations(name: str) -> "Migrations":
    """An empty set of migrations. Raises the same errors as `new_database`."""
    return _load_sqlite_utils().Migrations(name)  # type: ignore[no-any-return]


def _load_sqlite_utils() -> "ModuleType":
    with _hidden("numpy", "pandas"):
        import sqlite_utils  # noqa: PLC0415
    if vars(sqlite_utils.utils)["sqlite3"] is not sqlite3:
        raise StartupError("sqlite-utils runs on another SQLite library than frostgate: reinstall frostgate-server")
    return sqlite_utils


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """During the block, modules with these names that are not loaded yet cannot be imported."""
    absent = [name for name in names if name not in sys.modules]
    # An entry of None makes the import of a module fail. The type of sys.modules does not include None.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
