"""Targets of records: a file that several processes append to, or a descriptor such as that of stdout.

A target takes blocks of whole lines, each with one write. So lines of several processes do not mix.
"""

import errno
import fcntl
import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_MODE = 0o640
_WAIT_SECONDS = 0.1


class RecordTarget(Protocol):
    """Takes blocks of at most `largest_block` bytes. Only one thread uses it."""

    largest_block: int

    def write(self, lines: bytes) -> int:
        """Writes whole lines. Returns the bytes of the complete lines that were written, from the first one on.

        It may block while the reader of a pipe does not read. Raises OSError.
        """

    def rest(self) -> None:
        """Is called several times a second while there is nothing to write."""


class StreamTarget:
    """A descriptor. A write of at most PIPE_BUF bytes to a pipe is atomic, so several processes need no lock."""

    largest_block = select.PIPE_BUF

    def __init__(self, descriptor: int) -> None:
        """Other processes may write to the descriptor too."""
        self._descriptor = descriptor
        self._is_torn = False

    def write(self, lines: bytes) -> int:
        data = b"\n" + lines if self._is_torn else lines
        try:
            written = os.write(self._descriptor, data)
        except BlockingIOError:
            # Another process has made the descriptor non-blocking.
            select.select([], [self._descriptor], [], _WAIT_SECONDS)
            return 0
        complete = data.rfind(b"\n", 0, written) + 1
        self._is_torn = complete < written
        return max(0, complete - (len(data) - len(lines)))

    def rest(self) -> None:
        """Does nothing."""


class FileTarget:
    """A file, which is never larger than `most_bytes`. Another process renames it before it is as large.

    Each block is appended under a lock of the file. A process that was killed during a write may leave an incomplete
    line: the next block begins on a new line.
    """

    largest_block = 64 * 1024

    def __init__(self, path: Path, most_bytes: int) -> None:
        """Opens the file, and creates it if it does not exist. Raises OSError."""
        self._path = path
        self._most_bytes = most_bytes
        self._descriptor = self._open()

    def write(self, lines: bytes) -> int:
        self.rest()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            return self._append(lines)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def rest(self) -> None:
        """Opens the file again if it was renamed or deleted, so that no process keeps the space of a deleted file."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                return
        opened = self._open()
        os.close(self._descriptor)
        self._descriptor = opened

    def _append(self, lines: bytes) -> int:
        size = os.fstat(self._descriptor).st_size
        if size + len(lines) >= self._most_bytes:
            raise OSError(errno.EFBIG, "the file has reached its largest size, and is not rotated")
        is_torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        data = b"\n" + lines if is_torn else lines
        written = os.write(self._descriptor, data)
        return max(0, data.rfind(b"\n", 0, written) + 1 - (len(data) - len(lines)))

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
