"""The one SQLite library of the process, and the only module that imports it.

Two SQLite libraries in a process undo each other's file locks, and acknowledged commits are lost. sqlite-utils takes
pysqlite3 where it is installed, as here, but its hook specifications import the standard library's module by name:
that name is given ours before it can.
"""

import sys

import pysqlite3 as sqlite3

sys.modules.setdefault("sqlite3", sqlite3)

from sqlite_utils import Database, Migrations  # noqa: E402 - after the name is given
from sqlite_utils import utils as sqlite_utils_parts  # noqa: E402

from frostgate_server.domain.errors import StartupError  # noqa: E402

FIRST_SOUND_VERSION = (3, 51, 3)
"""Before it, down to 3.7.0, two connections could lose committed data when the write-ahead log was reset."""

__all__ = ["Database", "Migrations", "ensure_sound", "sqlite3"]


def ensure_sound(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> None:
    """Raises StartupError for an SQLite that loses data."""
    if vars(sqlite_utils_parts)["sqlite3"] is not sqlite3:
        raise StartupError("sqlite-utils runs on another SQLite library than frostgate: reinstall frostgate-server")
    if version < FIRST_SOUND_VERSION:
        found, needed = (".".join(map(str, v)) for v in (version, FIRST_SOUND_VERSION))
        raise StartupError(
            f"SQLite {found} can lose committed data (the WAL-reset bug); {needed} or later is needed: "
            "install a newer pysqlite3"
        )
