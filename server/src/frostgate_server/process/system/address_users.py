"""Finds the processes that listen on an address, for the message to an operator who cannot start a server there.

This works only on Linux, and only for processes of the same user.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from frostgate_server.config.addresses import is_unix

_PROC = Path("/proc")

_LISTENING = "0A"
"""The state of a socket in the tables of /proc/net."""


def processes_at(listen: str) -> list[int]:
    """The ids of the processes that listen on an address, in ascending order. Empty if they cannot be found."""
    sockets = set(_unix_sockets(listen.removeprefix("unix:")) if is_unix(listen) else _sockets(listen))
    return sorted(pid for pid in _process_ids() if sockets and not sockets.isdisjoint(_sockets_of(pid)))


def _sockets(listen: str) -> Iterator[str]:
    """The inodes of the sockets that listen on the port."""
    port = int(listen.rpartition(":")[2])
    for fields in [*_table("tcp"), *_table("tcp6")]:
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _unix_sockets(path: str) -> Iterator[str]:
    for fields in _table("unix"):
        if fields[7:] == [path]:
            yield fields[6]


def _table(name: str) -> list[list[str]]:
    """The fields of each line. The last of the eight fields in the table of unix sockets is a path.

    Other programs choose the names of their sockets, so a name may have any bytes.
    """
    with suppress(OSError):
        table = os.fsdecode((_PROC / "net" / name).read_bytes())
        return [line.split(maxsplit=7) if name == "unix" else line.split() for line in table.split("\n")[1:] if line]
    return []


def _process_ids() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208 - only the names


def _sockets_of(pid: int) -> Iterator[str]:
    """The inodes of the sockets of a process."""
    with suppress(OSError):
        for file in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = str(file.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")
