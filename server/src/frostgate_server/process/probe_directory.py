"""The private directory of a server. It contains a unix socket for the probe of each worker."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from frostgate_server.config.addresses import MOST_SOCKET_PATH
from frostgate_server.domain.errors import StartupError

_NO_PLACE = "there is no directory for the sockets of workers: set TMPDIR to a directory with a short path"

_RANDOM_LETTERS = 8
"""The number of characters that `mkdtemp` appends to the prefix of the directory."""

_LONGEST_NAME = len("/64-4194304")
"""The length of the longest name of a socket, with the largest worker number and process id."""


def probe_socket(directory: Path, number: int, pid: int) -> Path:
    """The path of the socket of the worker `number` with the process id `pid`."""
    return directory / f"{number}-{pid}"


class ProbeDirectory:
    """A new directory that only this user can access. `path` is short enough for sockets in it."""

    def __init__(self, fallback: Path) -> None:
        """Creates it in a directory for temporary files, or else in `fallback`. Raises StartupError."""
        self.path = _make_directory(fallback)

    def remove_socket(self, pid: int) -> None:
        """Removes the socket of an ended process."""
        for socket in self.path.glob(f"*-{pid}"):
            socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes the directory and its contents. It may be removed already."""
        shutil.rmtree(self.path, ignore_errors=True)


def _make_directory(fallback: Path) -> Path:
    for parent in _parents(fallback):
        with suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix="frostgate-", dir=parent))
            if len(os.fsencode(made)) + _LONGEST_NAME <= MOST_SOCKET_PATH:
                return made
            made.rmdir()
    raise StartupError(_NO_PLACE)


def ensure_place(fallback: Path) -> None:
    """Raises StartupError if the directory cannot be created now. Creates nothing."""
    for parent in _parents(fallback):
        longest = len(os.fsencode(parent)) + len("/frostgate-") + _RANDOM_LETTERS + _LONGEST_NAME
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK) and longest <= MOST_SOCKET_PATH:
            return
    raise StartupError(_NO_PLACE)


def _parents(fallback: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield Path(tempfile.gettempdir())
    yield Path("/tmp")  # noqa: S108 - mkdtemp makes a private directory there
    yield fallback
