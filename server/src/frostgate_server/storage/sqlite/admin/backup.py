"""A copy of the database while it is served: of one revision, and whole without any other file."""

import os
from contextlib import closing
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.durable_names import make_name_durable
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.driver import ensure_sound, sqlite3
from frostgate_server.storage.sqlite.opening import ensure_exists, ensure_frostgate_database
from frostgate_server.storage.sqlite.transaction import read_head


def backup(path: Path, to: Path) -> int:
    """Writes a copy of the database to a new file, on disk when this returns. Gives the copy's revision.

    Raises StartupError if there is no database, or something in the copy's place.
    """
    ensure_sound()
    ensure_exists(path)
    try:
        with closing(connect(path)) as connection:
            ensure_frostgate_database(path, connection)
            os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return _copied(connection, to)
    except FileExistsError:
        raise StartupError(f"{to} exists already: name a new file") from None
    except (sqlite3.Error, OSError) as error:
        raise StartupError(f"database {path} cannot be copied to {to}: {error}") from error


def _copied(connection: sqlite3.Connection, to: Path) -> int:
    """Fills the empty file, or removes it if it cannot."""
    try:
        connection.execute("VACUUM INTO ?", (str(to.absolute()),))
        with closing(connect(to)) as copy:
            revision = read_head(copy).revision
        with to.open("rb") as file:
            os.fsync(file.fileno())
        make_name_durable(to)
    except BaseException:
        to.unlink()
        raise
    return revision
