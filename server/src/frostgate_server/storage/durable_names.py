"""Names of files and directories that survive a power cut."""

import os
from pathlib import Path

from frostgate_server.domain.errors import StartupError


def make_name_durable(path: Path) -> None:
    """Syncs the directory of a new or renamed file, so that its name survives a power cut."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def make_directory(directory: Path) -> None:
    """Creates a directory and its missing parents, and syncs each name to disk.

    Otherwise a directory could be lost in a power cut, and the next start would create an empty one.

    Raises StartupError.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir(exist_ok=True)
        make_name_durable(directory)
    except OSError as error:
        raise StartupError(f"directory {directory} cannot be created: {error.strerror or error}") from error
