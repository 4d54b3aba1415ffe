"""Selects the backend for the setting `database`. No other module names a backend."""

import re
from collections.abc import Callable
from pathlib import Path

from frostgate_server.domain.errors import StartupError

from .backend import Backend
from .sqlite.backend import SqliteBackend

BACKENDS: dict[str, Callable[[Path], Backend]] = {"": SqliteBackend}
"""By the scheme of a URL, in lower case. A path has the empty scheme."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(?:/|$)", re.IGNORECASE)
"""At the start of a URL. A Path keeps one of its two slashes, or none if nothing follows them."""


def find_backend(database: Path) -> Backend:
    """The backend of a database. Raises StartupError for an unknown scheme, or a path that cannot be resolved."""
    found = _SCHEME.match(str(database))
    scheme = found[1].lower() if found else ""
    if scheme not in BACKENDS:
        raise StartupError(f"database must be the path of an SQLite file, but is a URL with the scheme {scheme}")
    try:
        database.resolve()
    except RuntimeError as error:
        raise StartupError(f"database {database} is a symbolic link to itself: correct --database") from error
    return BACKENDS[scheme](database)
