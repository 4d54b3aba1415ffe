"""Reads what recorder.c wrote down, and tells what a disk would hold of it after a loss of power.

The rule is the strict one of POSIX: of a file there is what it held at its last fsync or fdatasync, and nothing written
since; a name that was given, changed or taken away is so once its directory was fsynced. That the file itself was
fsynced makes no name durable, though some filesystems are that kind.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

_HEADER = struct.Struct("=IiqqQ")


class Kind(IntEnum):
    """What was done. The numbers are recorder.c's."""

    STARTED = 0
    OPENED = 1
    CLOSED = 2
    WRITTEN = 3
    TRUNCATED = 4
    SYNCED = 5
    RENAMED = 6
    UNLINKED = 7


@dataclass(frozen=True, slots=True)
class Record:
    """One operation that succeeded. `end` is the length of the trace up to and with it."""

    kind: Kind
    process: int
    descriptor: int
    number: int
    data: bytes
    end: int


def records(trace: Path) -> Iterator[Record]:
    """The records of a trace in their order. Raises ValueError if the last one is not whole."""
    content = trace.read_bytes()
    place = 0
    while place < len(content):
        if len(content) - place < _HEADER.size:
            raise ValueError(f"{trace} ends amid a record")
        kind, descriptor, process, number, size = _HEADER.unpack_from(content, place)
        place += _HEADER.size
        if len(content) - place < size:
            raise ValueError(f"{trace} ends amid a record")
        yield Record(Kind(kind), process, descriptor, number, content[place : place + size], place + size)
        place += size


@dataclass(eq=False, slots=True)
class _File:
    """A file: the name it has or had last, what was written to it, and what of that is durable."""

    name: str
    written: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class Disk:
    """The files of the recorded directory, which was empty when the recording began."""

    def __init__(self, trace: Path, *, deaf_to: str | None = None) -> None:
        """Takes a trace, of which nothing is replayed yet. Each fsync of the file called `deaf_to` goes unheard."""
        self._records = records(trace)
        self._next = next(self._records, None)
        self._deaf_to = deaf_to
        self._directory = _File("")
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._descriptors: dict[tuple[int, int], _File] = {}

    def advance(self, length: int) -> list[tuple[Kind, str]]:
        """Replays all that stands within the trace's first `length` bytes; tells what was done, and to which file."""
        done = []
        while self._next is not None and self._next.end <= length:
            done.append((self._next.kind, self._replay(self._next)))
            self._next = next(self._records, None)
        return done

    def durable(self) -> dict[str, bytes]:
        """The files, by name, that a loss of power leaves."""
        return {name: file.durable for name, file in self._durable_names.items()}

    def written(self) -> dict[str, bytes]:
        """The files, by name, as they are while the power lasts."""
        return {name: bytes(file.written) for name, file in self._names.items()}

    def _replay(self, record: Record) -> str:
        match record.kind:
            case Kind.STARTED:
                for opened in [opened for opened in self._descriptors if opened[0] == record.process]:
                    del self._descriptors[opened]
                return ""
            case Kind.RENAMED | Kind.UNLINKED:
                return self._rename(*record.data.decode().split("\0"))
            case Kind.OPENED:
                return self._open(record).name
            case _:
                return self._operate(record, self._descriptors[record.process, record.descriptor]).name

    def _open(self, record: Record) -> _File:
        name = record.data.decode()
        if name and name not in self._names:
            if not record.number & os.O_CREAT:
                raise ValueError(f"{name} was opened, but nothing recorded made it")
            self._names[name] = _File(name)
        file = self._descriptors[record.process, record.descriptor] = self._names[name] if name else self._directory
        if record.number & os.O_TRUNC:
            file.written.clear()
        return file

    def _rename(self, name: str, new_name: str | None = None) -> str:
        file = self._names.pop(name)
        if new_name is not None:
            self._names[new_name] = file
            file.name = new_name
        return file.name

    def _operate(self, record: Record, file: _File) -> _File:
        match record.kind:
            case Kind.WRITTEN:
                _resize(file.written, max(len(file.written), record.number))
                file.written[record.number : record.number + len(record.data)] = record.data
            case Kind.TRUNCATED:
                _resize(file.written, record.number)
            case Kind.SYNCED:
                self._sync(file)
            case _:
                del self._descriptors[record.process, record.descriptor]
        return file

    def _sync(self, file: _File) -> None:
        if file.name == self._deaf_to:
            return
        if file is self._directory:
            self._durable_names = dict(self._names)
        else:
            file.durable = bytes(file.written)


def lay_out(files: dict[str, bytes], directory: Path) -> None:
    """Makes a directory that holds these files."""
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
