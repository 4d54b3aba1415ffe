"""What a database holds and how it grows: plain values for `frostgate-server stats`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TableStats:
    """A table: its rows, and about how many bytes of the file it takes with its indexes."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class KeptAnswersStats:
    """The answers that are kept for a caller's request_ids, about: how many, and their bytes."""

    principal: str
    answers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RestoreStats:
    """A jump of the revision: by which command and when, the last revision before it, and the one it went on from."""

    number: int
    command: str
    last_revision: int
    floor: int
    restore_time: datetime


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """Statistics of a database at one revision.

    `files` has the bytes of each file by its name. `events_per_day` has the last days by their date, UTC, the present
    one last. `growth_bytes_per_day` is what events take on average of the whole days among them. `kept_answers` has the
    callers with most bytes, the largest first; `restores` the last ones, the newest first. `record_check` is what the
    last check of the record found, None if there was none.
    """

    database_id: str
    revision: int
    files: dict[str, int]
    tables: dict[str, TableStats]
    events_per_day: dict[str, int]
    growth_bytes_per_day: int
    kept_answers: list[KeptAnswersStats]
    restores: list[RestoreStats]
    record_check: Any
