"""Free space on the disk of a database: a check for changes, and a reserve for a start on a full disk.

SQLite needs 32 KiB for its -shm file to open a database, even for reading. The -reserve file keeps this space while no
server runs. A start on a full disk releases it.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .paths import beside

_log = logging.getLogger(__name__)

RESERVED_BYTES = 64 * 1024
"""The size of the -reserve file: twice the space that a start needs."""

ROOM_BYTES = 64 * 1024
"""The free space that must be available for changes. Most groups of changes need less."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""The errors of a full disk or an exceeded disk quota."""

_BLOCK = bytes(4096)


def ensure_room(database: Path) -> None:
    """Raises OSError if there is no space for changes beside the database. Fills the reserve again if it was released.

    It writes after the end of the reserve, and truncates the file again. Several processes may do this at once.
    """
    with _opened(database) as file:
        reserved = min(os.fstat(file).st_size, RESERVED_BYTES)
        try:
            _write(file, reserved, RESERVED_BYTES + ROOM_BYTES)
        except OSError:
            os.ftruncate(file, reserved)
            raise
        os.ftruncate(file, RESERVED_BYTES)


def make_room_to_read(database: Path) -> None:
    """Releases the reserve if the disk is full, and logs a warning. Other errors show when the database is opened."""
    try:
        ensure_room(database)
    except OSError as error:
        if error.errno in NO_ROOM:
            _log.warning("database %s: changes fail until its disk has free space: %s", database, error.strerror)
            _give_up_reserve(database)


def take_back_reserve(database: Path) -> None:
    """Fills the reserve as far as the disk has space. Raises no error: `ensure_room` fills the rest later."""
    with suppress(OSError), _opened(database) as file:
        _write(file, os.fstat(file).st_size, RESERVED_BYTES)


def _give_up_reserve(database: Path) -> None:
    with suppress(OSError), _opened(database) as file:
        os.ftruncate(file, 0)


@contextmanager
def _opened(database: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(beside(database, "-reserve"), flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write(file: int, begin: int, end: int) -> None:
    """Writes zeros from the offset `begin` to the offset `end`, block by block."""
    while begin < end:
        begin += os.pwrite(file, _BLOCK[: end - begin], begin)
