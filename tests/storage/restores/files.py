"""The files of a directory, as a test compares them."""

import hashlib
from pathlib import Path
from typing import NamedTuple


class FileState(NamedTuple):
    """All that a program could change in a file."""

    inode: int
    mode: int
    modified: int
    content: str


def states(directory: Path) -> dict[str, FileState]:
    """The files in a directory, and the directory itself."""
    found = {}
    for path in (directory, *directory.iterdir()):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[path.name] = FileState(status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return found


def make_read_only(directory: Path) -> None:
    """Takes the permission to write away from a directory and its files."""
    for path in (*directory.iterdir(), directory):
        path.chmod(path.stat().st_mode & ~0o222)
