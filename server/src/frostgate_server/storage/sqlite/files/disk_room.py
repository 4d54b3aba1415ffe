"""Room on the disk of a database: whether there is any for changes, and a reserve for a start on a full disk.

SQLite cannot open a database, not even to read it, without 32 KiB for its -shm file. The -reserve file keeps that room
while no server runs. A start on a full disk gives it up.
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
"""The size of the -reserve file: twice what a start needs."""

ROOM_BYTES = 64 * 1024
"""The room that must be there for changes: more than a group of them takes in most cases."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk, or a quota, that is full."""

_BLOCK = bytes(4096)


def ensure_room(database: Path) -> None:
    """Raises OSError if nothing can be written beside the database. Fills the reserve if it was given up.

    It writes behind the end of the reserve, and cuts that off again. Several processes may do this at once.
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
    """Gives up the reserve if the disk is full, and logs that. Other errors are left to those who open the database."""
    try:
        ensure_room(database)
    except OSError as error:
        if error.errno in NO_ROOM:
            _log.warning("database %s: changes fail until there is room on its disk: %s", database, error.strerror)
            _give_up_reserve(database)


def take_back_reserve(database: Path) -> None:
    """Fills the reserve with as much as the disk has. Raises no error: `ensure_room` tells when there is more."""
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
    """Writes from one place of the file to another, block by block."""
    while begin < end:
        begin += os.pwrite(file, _BLOCK[: end - begin], begin)
