"""The lock of a database, so that two servers cannot serve the same one."""

import fcntl
import os
import struct
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic, sleep

from frostgate_server.domain.errors import StartupError

from .paths import head_path, lock_path

DYING_SECONDS = 10.0
"""Seconds that a start waits for the processes of a killed server to end."""

_POLL_SECONDS = 0.02

_WHOLE_FILE = struct.pack("hhllixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""A struct flock: an exclusive lock."""


class DatabaseLock:
    """Locks a database until it is closed, or until the process ends.

    It locks the -lock file, and workers inherit this lock. It also locks the head file, in case the -lock file is
    removed. That second lock is an open file description (OFD) lock. It does not conflict with the lock of a group of
    changes.
    """

    def __init__(self, path: Path) -> None:
        """Locks the database at `path`. Raises StartupError if another process serves it, or OSError.

        Waits for the processes of a killed server to end.
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
        """The descriptor of the lock. A process that inherits it keeps the lock too."""
        return self._file

    def close(self) -> None:
        """Releases the lock. It ends when no process that inherited the descriptor is left."""
        os.close(self._head_file)
        os.close(self._file)


def _open(path: Path, opened: ExitStack) -> int:
    """Opens a file, and creates it if it does not exist. It is closed with `opened`."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, file)
    return file


def _locked_in_time(file: int) -> bool:
    """Locks a file. Returns False if a live process holds the lock, or after DYING_SECONDS. Raises OSError."""
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
    """Overwrites the process id, then truncates the file. On a full disk, an empty file stays empty."""
    line = f"{os.getpid()}\n".encode()
    with suppress(OSError):
        os.pwrite(file, line, 0)
        os.ftruncate(file, len(line))


def _read_holder(file: int) -> str:
    return os.pread(file, 32, 0).decode("ascii", "replace").strip()


def _described(holder: str) -> str:
    """Describes the holder of a lock: the process with this id, or workers that are still running after it ended."""
    if _lives(holder):
        return f"process {holder}: stop it, or take another --database"
    ended = f"process {holder}" if holder else "a process"
    return f"workers of {ended}, which has ended: wait until they have drained, and start again"


def _lives(holder: str) -> bool:
    """Whether the process with this id is alive. A zombie process is not."""
    if not holder.isdecimal():
        return False
    try:
        os.kill(int(holder), 0)
        # The name of a process may have any bytes.
        stat = os.fsdecode(Path(f"/proc/{holder}/stat").read_bytes())
    except OSError as error:
        return isinstance(error, PermissionError)
    return stat[stat.rindex(")") + 2] != "Z"
