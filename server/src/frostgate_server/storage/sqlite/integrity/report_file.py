"""The -check file beside a database. The background check writes its report, and the workers read the suspects."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.storage.check_report import CheckReport

LOOK_SECONDS = 0.2
"""Seconds between two checks for a changed file."""


def read_report(path: Path) -> CheckReport | None:
    """The report in a -check file. None if the file is missing or unreadable: the next pass writes a new one."""
    try:
        fields = json.loads(path.read_bytes())
        return CheckReport(**{**fields, "examples": tuple(fields["examples"]), "suspects": dict(fields["suspects"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_report(path: Path, report: CheckReport) -> None:
    """Replaces the report atomically. Raises OSError."""
    unfinished = path.with_name(path.name + "-new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(asdict(report)), "utf-8")
    unfinished.replace(path)


class Suspects:
    """The suspects in a -check file, for a worker. May be used by several threads."""

    def __init__(self, path: Path) -> None:
        """Takes the path of the file, which need not exist."""
        self._path = path
        self._ids: frozenset[str] = frozenset()
        self._next_look = 0.0
        self._seen: tuple[int, int] | None = None

    def ensure_none(self, customer_ids: Sequence[str]) -> None:
        """Raises StorageUnavailable if one of these customers is a suspect."""
        for error in self.find_errors(customer_ids).values():
            raise error

    def find_errors(self, customer_ids: Sequence[str]) -> dict[str, StorageUnavailable]:
        """The errors of those of these customers that are suspects, by customer_id."""
        if monotonic() >= self._next_look:
            self._look()
        if not self._ids or self._ids.isdisjoint(customer_ids):
            return {}
        return {
            suspect: StorageUnavailable(f"the background check found an inconsistency of customer {suspect}")
            for suspect in self._ids.intersection(customer_ids)
        }

    def _look(self) -> None:
        self._next_look = monotonic() + LOOK_SECONDS
        try:
            status = self._path.stat()
        except OSError:
            # Suspects remain until a report does not contain them.
            return
        seen = status.st_ino, status.st_mtime_ns
        if seen != self._seen and (report := read_report(self._path)) is not None:
            self._ids, self._seen = frozenset(report.suspects), seen
