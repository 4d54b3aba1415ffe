"""The head file: a small file beside the database with the head of the history at the last acknowledged change.

If a database lost its last changes, SQLite does not detect it. The head file makes this detectable: it is written and
synced after each commit, before the change is acknowledged. It has two slots of one line each, which are written in
turn. So an incomplete write leaves the other line intact. Each line has a checksum.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostgate_server.storage.head import Head

SLOT_SIZE = 512

REVISION_JUMP = 10**9
"""How far the revision jumps ahead after a loss, so that no revision is ever used twice."""


class HeadFileDamaged(OSError):
    """The head file has no valid line, or an older content than before."""


class HeadFile:
    """An open head file. `head` is its content, None for a new file. Must not be shared between threads."""

    def __init__(self, path: Path, *, create: bool = True, read_only: bool = False) -> None:
        """Opens the file, or creates an empty one. Raises OSError."""
        access = os.O_RDONLY if read_only else os.O_RDWR
        self._file = os.open(path, access | (os.O_CREAT if create else 0) | os.O_CLOEXEC, 0o600)
        self._unsynced = False
        try:
            self.head, self._slot = self._newest()
        except BaseException:
            os.close(self._file)
            raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks out other processes during the block, and reads their last writes. Raises HeadFileDamaged."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._read_again()
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def advance(self, head: Head) -> None:
        """Writes and syncs `head`, unless the file contains it already. Raises OSError."""
        if head == self.head and not self._unsynced:
            return
        slot = 1 - self._slot
        self._unsynced = True
        os.pwrite(self._file, _line(head), slot * SLOT_SIZE)
        os.fdatasync(self._file)
        self._unsynced = False
        self.head, self._slot = head, slot

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _read_again(self) -> None:
        """Reads the file again. Raises HeadFileDamaged if its head is older than before: it must only advance."""
        head, slot = self._newest()
        if self.head is not None and (head is None or head.place < self.head.place):
            raise HeadFileDamaged("the -head file was emptied, or replaced by an older state")
        self.head, self._slot = head, slot

    def _newest(self) -> tuple[Head | None, int]:
        content = os.pread(self._file, 2 * SLOT_SIZE, 0)
        if not content:
            return None, 1
        heads = {slot: head for slot in (0, 1) if (head := _parse(content[slot * SLOT_SIZE :][:SLOT_SIZE]))}
        if not heads:
            raise HeadFileDamaged("it has no valid line")
        slot = max(heads, key=lambda slot: heads[slot].place)
        return heads[slot], slot


def _line(head: Head) -> bytes:
    content = json.dumps(head.fields())
    checked = json.dumps({**head.fields(), "checksum": zlib.crc32(content.encode())})
    return checked.ljust(SLOT_SIZE - 1).encode() + b"\n"


def _parse(slot: bytes) -> Head | None:
    try:
        fields = json.loads(slot)
        checksum = fields.pop("checksum")
        head = Head.from_fields(fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return head if zlib.crc32(json.dumps(head.fields()).encode()) == checksum else None
