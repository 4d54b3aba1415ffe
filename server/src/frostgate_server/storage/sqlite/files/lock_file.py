"""The claim of one server on a database: two must not serve the same one unknowingly."""

import fcntl
import os
import struct
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic, sleep

from frostgate_server.domain.errors import StartupError

from .paths import head_path, lock_path

DYING_SECONDS = 10.0
"""Seconds in which the processes of a server that was killed must have ended."""

_POLL_SECONDS = 0.02

_WHOLE_FILE = struct.pack("hhllixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""A struct flock: an exclusive lock."""


class DatabaseLock:
    """Held for as long as the process lives, or until it is closed.

    The claim is a lock of the -lock file, which workers inherit. In case that file is removed, it is a lock of the head
    file, too. That is one of an open file (OFD), which has nothing to do with the lock that groups of changes take.
    """

    def __init__(self, path: Path) -> None:
        """Claims the database at `path`. Raises StartupError if another process serves it, or OSError.

        Waits for the processes of a server that was killed.
        """
        with ExitStack() as opened:
            self._file = _open(lock_path(path), opened)
            if not _locked_in_time(self._file):
                raise StartupError(f"database {path} is in use by {_described(_read_holder(self._file))}")
            self._head_file = _open(head_path(path), opened)
            if not _lock_open_file(self._head_file):
                raise StartupError(
                    f"database {path} is in use by a server whose -lock file was removed: stop it, or take another "
                    "--database"
                )
            _write_holder(self._file)
            opened.pop_all()

    def fileno(self) -> int:
        """The open file that is the claim: a process that inherits it keeps the claim too."""
        return self._file

    def close(self) -> None:
        """Lets others serve the database, once no process that inherited the claim is left."""
        os.close(self._head_file)
        os.close(self._file)


def _open(path: Path, opened: ExitStack) -> int:
    """A file that is made if it does not exist, and closed with `opened`."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, file)
    return file


def _locked_in_time(file: int) -> bool:
    """Locks a file. False: another process holds it, and lives. Raises OSError."""
    end = monotonic() + DYING_SECONDS
    while not _lock(file):
        if _lives(_read_holder(file)) or monotonic() > end:
            return False
        sleep(_POLL_SECONDS)
    return True


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_open_file(file: int) -> bool:
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _write_holder(file: int) -> None:
    """Writes over what is there before it cuts the rest off. On a full disk a file of no bytes gets none."""
    line = f"{os.getpid()}\n".encode()
    with suppress(OSError):
        os.pwrite(file, line, 0)
        os.ftruncate(file, len(line))


def _read_holder(file: int) -> str:
    return os.pread(file, 32, 0).decode("ascii", "replace").strip()


def _described(holder: str) -> str:
    """Who holds a claim: the process that wrote its number there, or workers that outlived it."""
    if _lives(holder):
        return f"process {holder}: stop it, or take another --database"
    return f"workers of process {holder}, which is gone: they end once they have drained; then start again"


def _lives(holder: str) -> bool:
    """Whether the process with this number lives. A zombie does not."""
    if not holder.isdecimal():
        return False
    try:
        os.kill(int(holder), 0)
        stat = Path(f"/proc/{holder}/stat").read_text()
    except OSError as error:
        return isinstance(error, PermissionError)
    return stat[stat.rindex(")") + 2] != "Z"
