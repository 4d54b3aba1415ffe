"""Picks the backend of a database by the setting that names it. The only module that names a backend."""

import re
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .backend import Backend
from .sqlite.backend import SqliteBackend

_BACKENDS: dict[str, type[SqliteBackend]] = {"": SqliteBackend}
"""By the scheme of a URL; a path has none."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/")


def find_backend(database: Path) -> Backend:
    """The backend of a database. Raises StartupError for a URL of a database that this version cannot use."""
    found = _SCHEME.match(str(database))
    scheme = found[1] if found else ""
    if scheme not in _BACKENDS:
        raise StartupError(f"database must be the path of an SQLite file, but is a URL with the scheme {scheme}")
    return _BACKENDS[scheme](database)
