"""A small pipe that is read only when a test reads it."""

import fcntl
import os
import select
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Self

from support.processes import PATIENCE

_BYTES = 4096


def fill_before_its_reader(read_end: int) -> None:
    """Sets the size of a pipe to 4 KiB and fills it, from its reading end. Linux permits this."""
    fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, _BYTES)
    write_end = os.open(f"/proc/self/fd/{read_end}", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(write_end, b".")
    os.close(write_end)


class Pipe:
    """A pipe of 4 KiB. The end of the `with` block closes both ends."""

    def __init__(self) -> None:
        """Makes the pipe. Nothing is read yet."""
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, _BYTES)
        self._read = b""

    def fill(self) -> None:
        """Writes until there is no room for a byte."""
        os.set_blocking(self.write_end, False)
        with suppress(BlockingIOError):
            while True:
                os.write(self.write_end, b".")
        os.set_blocking(self.write_end, True)

    def empty(self) -> None:
        """Reads what `fill` has written."""
        filled = 0
        while filled < _BYTES:
            filled += len(os.read(self.read_end, _BYTES - filled))

    def read_lines(self, count: int) -> list[str]:
        """Waits for this number of lines and reads them."""
        end = monotonic() + PATIENCE
        while self._read.count(b"\n") < count:
            readable, _, _ = select.select([self.read_end], [], [], max(0, end - monotonic()))
            assert readable, f"no more lines than {self._read!r}"
            self._read += os.read(self.read_end, 65536)
        *lines, self._read = self._read.split(b"\n", count)
        return [line.decode() for line in lines]

    def rest(self) -> str:
        """Closes the writing end here, and reads until no other process has it open."""
        os.close(self.write_end)
        self.write_end = -1
        while read := os.read(self.read_end, 65536):
            self._read += read
        return self._read.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self.read_end, self.write_end):
            if end >= 0:
                os.close(end)
