"""Names of files that survive a power cut."""

import os
from pathlib import Path


def make_name_durable(path: Path) -> None:
    """Makes sure that a file that was made or renamed is found under its name after a power cut."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
