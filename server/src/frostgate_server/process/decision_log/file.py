"""The file of the decision log: the supervisor checks it before the start, and rotates it."""

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError

_log = logging.getLogger(__name__)

_LARGEST_MARGIN = 4 * 1024 * 1024
"""The most bytes below the largest size at which a file is rotated. Workers write on until the file is full."""


POLL_SECONDS = 0.05
"""Seconds between two looks at the size of the file."""


class DecisionLogFile:
    """Rotates the file of the decision log in a thread, until `end`: also while the workers drain.

    Only the supervisor renames the file. The workers notice it, and create a new one. Without a decision log, or if it
    goes to stdout, this does nothing.
    """

    def __init__(self, settings: Settings) -> None:
        """Starts the thread. Raises StartupError if the file cannot be written."""
        most = settings.decision_log_max_size
        self._rotated_at = most - min(most // 4, _LARGEST_MARGIN)
        self._keep = settings.decision_log_keep
        self._failure = ""
        for problem in find_file_problems(settings):
            raise StartupError(problem)
        self._ended = threading.Event()
        path = _path_of(settings)
        if path is not None:
            threading.Thread(target=self._rotate_until_end, args=(path,), name="rotation", daemon=True).start()

    def end(self) -> None:
        """Rotates no more."""
        self._ended.set()

    def _rotate_until_end(self, path: Path) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self._look_at(path)

    def _look_at(self, path: Path) -> None:
        """Rotates a file that has reached its size. Logs an error once; the next turn tries again."""
        try:
            if path.stat().st_size >= self._rotated_at:
                self._rotate(path)
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
