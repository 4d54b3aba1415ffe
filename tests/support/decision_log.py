"""Reads decision logs."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from support.worker_processes import eventually

Record = dict[str, Any]


def records_of(*files: Path) -> list[Record]:
    """The records of files. Each line must be a whole object."""
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def records_with(file: Path, count: int) -> list[Record]:
    """Waits for this number of records, and returns all."""
    return list(eventually(partial(_at_least, file, count), f"{count} records"))


def rotated(file: Path) -> list[Path]:
    """The rotated files, the oldest first."""
    found = [one for one in file.parent.glob(f"{file.name}.*") if one.suffix[1:].isdigit()]
    return sorted(found, key=lambda one: -int(one.suffix[1:]))


def _at_least(file: Path, count: int) -> list[Record]:
    found = records_of(file)
    return found if len(found) >= count else []
