"""The file of the decision log: the supervisor checks it before the start, and rotates it."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError

_log = logging.getLogger(__name__)

_LARGEST_MARGIN = 4 * 1024 * 1024
"""The most bytes below the largest size at which a file is rotated. Workers write on until the file is full."""


class DecisionLogFile:
    """The file of a server with a decision log. Without one, or if the log goes to stdout, it does nothing.

    Only the supervisor renames the file. The workers notice it, and create a new one.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError if the file cannot be written."""
        self._path = _path_of(settings)
        most = settings.decision_log_max_size
        self._rotated_at = most - min(most // 4, _LARGEST_MARGIN)
        self._keep = settings.decision_log_keep
        self._failure = ""
        for problem in find_file_problems(settings):
            raise StartupError(problem)

    def supervise(self) -> None:
        """One turn: rotates a file that has reached its size. Logs an error once; the next turn tries again."""
        if self._path is None:
            return
        try:
            if self._path.stat().st_size >= self._rotated_at:
                self._rotate(self._path)
            self._failure = ""
        except FileNotFoundError:
            # A worker creates it with its next record.
            return
        except OSError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                _log.error("the decision log cannot be rotated: %s", error)

    def _rotate(self, path: Path) -> None:
        """FILE.1 becomes FILE.2 and so on, the last one is deleted, and FILE becomes FILE.1."""
        for number in reversed(range(1, self._keep)):
            older = _numbered(path, number)
            if older.exists():
                older.replace(_numbered(path, number + 1))
        path.replace(_numbered(path, 1))


def find_file_problems(settings: Settings) -> Iterator[str]:
    """The reason why the file cannot be written, if it cannot. Creates nothing."""
    path = _path_of(settings)
    if path is None:
        return
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            yield f"decision_log must name a file, or - for stdout, but {path} is no regular file"
        elif not os.access(path, os.R_OK | os.W_OK):
            yield f"decision_log: {path} cannot be read and written: change its permissions"
    except FileNotFoundError:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            yield f"decision_log: {path} cannot be created: its directory does not exist or cannot be written to"
    except OSError as error:
        yield f"decision_log: {path} cannot be written: {error.strerror}"


def _path_of(settings: Settings) -> Path | None:
    return None if settings.decision_log in {"", "-"} else Path(settings.decision_log)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
