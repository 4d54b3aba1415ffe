"""Reads the write-ahead log of a database without SQLite, to find the pages in it.

The log is a header and frames; each frame is a header and a page. See "WAL-mode File Format" in SQLite's documentation.
SQLite holds no lock on this file, so closing it here cannot release one.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from .paths import beside

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
"""Bytes before the page in each frame."""

_MAGIC = (0x377F0682, 0x377F0683)
_HEADER = struct.Struct(">8I")
_PAGE_NUMBER = struct.Struct(">I")


def bytes_of_frames(frames: int, page_size: int) -> int:
    """The size in bytes of a log with this number of frames; 0 for no frames."""
    return HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_size) if frames > 0 else 0


@dataclass(frozen=True, slots=True)
class WriteAheadLog:
    """A log, with the page size in its header."""

    path: Path
    page_size: int

    def pages(self, frames: int) -> set[int]:
        """The numbers of the pages in the first `frames` frames. Raises OSError, also if the log has fewer frames."""
        size = FRAME_HEADER_BYTES + self.page_size
        with self.path.open("rb", buffering=0) as file:
            return {_read_page_number(file.fileno(), HEADER_BYTES + frame * size) for frame in range(frames)}


def find_log(database: Path) -> WriteAheadLog | None:
    """The log beside a database. None if there is no file, or if it does not begin with a log header."""
    path = beside(database, "-wal")
    try:
        with path.open("rb", buffering=0) as file:
            content = file.read(HEADER_BYTES)
    except FileNotFoundError:
        return None
    if len(content) < HEADER_BYTES:
        return None
    magic, _, page_size, *_ = _HEADER.unpack(content)
    return WriteAheadLog(path, page_size) if magic in _MAGIC else None


def _read_page_number(file: int, offset: int) -> int:
    content = os.pread(file, _PAGE_NUMBER.size, offset)
    if len(content) < _PAGE_NUMBER.size:
        raise OSError("the -wal file is shorter than its frames in use")
    return int(_PAGE_NUMBER.unpack(content)[0])
