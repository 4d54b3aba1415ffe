"""The directory of the scheduled backups of one database. A file with the name of a backup is complete and verified."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .backend import Backend
from .backends import find_backend
from .durable_names import make_name_durable

_INCOMPLETE = "frostgate-incomplete.db"
"""The name of a backup until it is verified. SQLite may put files beside it, whose names begin with this one."""

_NAME = re.compile(r"frostgate-(?P<time>[0-9]{8}T[0-9]{6}Z)-rev(?P<revision>[0-9]{1,19})\.db")
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, order=True)
class StoredBackup:
    """A verified backup: it contains every change that was acknowledged before `time`, up to `revision`."""

    time: datetime
    revision: int

    @property
    def name(self) -> str:
        """The name of the file. Names sort by time."""
        return f"frostgate-{self.time:{_TIME_FORMAT}}-rev{self.revision}.db"


class BackupDirectory:
    """The backups of one database. Other files in the directory are left alone. Every method may raise OSError."""

    def __init__(self, directory: Path) -> None:
        """The directory need not exist yet. It is never created: it may be a disk that is not mounted now."""
        self.directory = directory

    def list(self) -> list[StoredBackup]:
        """All backups, the newest first."""
        found = []
        for file in self.directory.iterdir():
            if match := _NAME.fullmatch(file.name):
                # A name such as frostgate-20269999T000000Z-rev1.db has no time.
                with suppress(ValueError):
                    time = datetime.strptime(match["time"], _TIME_FORMAT).replace(tzinfo=UTC)
                    found.append(StoredBackup(time, int(match["revision"])))
        return sorted(found, reverse=True)

    def find_newest(self) -> StoredBackup | None:
        """The newest backup: for its age. None if there is none."""
        return next(iter(self.list()), None)

    def get_time_to_next(self, period: timedelta, now: datetime) -> timedelta:
        """The time until the next backup is due: a period after the newest one, so that a restart changes nothing.

        Backups with a time in the future do not count: the clock was set back since.
        """
        last = next((one.time for one in self.list() if one.time <= now), None)
        return timedelta(0) if last is None else max(timedelta(0), last + period - now)

    def make(self, backend: Backend, now: datetime) -> StoredBackup:
        """Copies the database, verifies the copy, and then gives it its name. Removes the copy if that fails.

        Raises StartupError if the database cannot be copied, and DatabaseInconsistent if the copy is inconsistent.
        """
        self.remove_leftovers()
        copy = self.directory / _INCOMPLETE
        try:
            made = StoredBackup(now.replace(microsecond=0), backend.back_up(copy))
            find_backend(copy).verify([])
            named = copy.rename(self.directory / made.name)
        except BaseException:
            with suppress(OSError):
                self.remove_leftovers()
            raise
        make_name_durable(named)
        return made

    def remove_leftovers(self) -> None:
        """Removes an incomplete backup, if a run was killed."""
        for file in self.directory.glob(f"{_INCOMPLETE}*"):
            file.unlink(missing_ok=True)

    def delete_old(self, keep: int, made: StoredBackup) -> None:
        """Deletes all backups but the newest `keep`. `made`, the last one, stays also if the clock was set back."""
        others = [one for one in self.list() if one != made]
        for old in others[keep - 1 :]:
            (self.directory / old.name).unlink(missing_ok=True)
