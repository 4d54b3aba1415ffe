"""The size and growth of a database, as plain values for `frostgate-server stats`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TableStats:
    """The number of rows of a table, and its approximate size in the file, in bytes, with its indexes."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class KeptAnswersStats:
    """The approximate number and bytes of the answers that are kept for the request ids of a caller."""

    principal: str
    answers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RestoreStats:
    """A jump of the revision: the command, its time, the last revision before it, and the revision it jumped to."""

    number: int
    command: str
    last_revision: int
    floor: int
    restore_time: datetime


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """Statistics of a database at one revision.

    `files` has the bytes of each file, by name. `events_per_day` counts the events of the last days by date, UTC; today
    is last. `growth_bytes_per_day` is the average size of the events of one day, without today. `kept_answers` has the
    callers with the most bytes, the largest first. `restores` has the last restores, the newest first. `record_check`
    is the result of the last background check, None if there was none.
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
