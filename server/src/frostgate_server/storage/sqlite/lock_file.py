"""The claim of one server on a database: two must not serve the same one unknowingly."""

import fcntl
import os
from pathlib import Path

from frostgate_server.domain.errors import StartupError


class DatabaseLock:
    """Held for as long as the process lives, or until it is closed."""

    def __init__(self, path: Path) -> None:
        """Claims the database at `path`. Raises StartupError if another process serves it, or OSError."""
        self._file = os.open(path.with_name(path.name + "-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            if not isinstance(error, BlockingIOError):
                raise
            raise StartupError(f"database {path} is in use by {_described(holder)}") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def fileno(self) -> int:
        """The open file that is the claim: a process that inherits it keeps the claim too."""
        return self._file

    def close(self) -> None:
        """Lets others serve the database, once no process that inherited the claim is left."""
        os.close(self._file)


def _described(holder: str) -> str:
    """Who holds a claim: the process that wrote its number there, or workers that outlived it."""
    if holder.isdecimal() and _lives(int(holder)):
        return f"process {holder}: stop it, or take another --database"
    return f"workers of process {holder}, which is gone: they end once they have drained; then start again"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
