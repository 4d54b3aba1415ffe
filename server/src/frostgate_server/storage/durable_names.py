"""Names of files and directories that survive a power cut."""

import os
from pathlib import Path

from frostgate_server.domain.errors import StartupError


def make_name_durable(path: Path) -> None:
    """Makes sure that a file that was made or renamed is found under its name after a power cut."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def make_directory(directory: Path) -> None:
    """Makes a directory and those above it, each durable under its name: a lost one would be made anew, and empty.

    Raises StartupError.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir(exist_ok=True)
        make_name_durable(directory)
    except OSError as error:
        raise StartupError(f"directory {directory} cannot be made: {error.strerror or error}") from error
