"""The findings of the background check. They are logged, and written to the -check file for workers and operators."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from frostgate_server.observability.counted import counted
from frostgate_server.storage.check_report import CheckReport

from .report_file import read_report, write_report

_log = logging.getLogger(__name__)

MOST_LOGGED = 20
"""The maximum number of findings of a pass that are logged one by one and are examples in the report."""

WRITE_SECONDS = 1.0
"""Seconds between two writes of the -check file during a pass."""


class Findings:
    """The findings of each pass. A suspect remains one until a complete pass finds no inconsistency for it."""

    def __init__(self, path: Path) -> None:
        """Takes the path of the -check file, and reads the suspects of an earlier process from it."""
        self._path = path
        self._report = read_report(path) or CheckReport()
        self._suspects: dict[str, str] = {}
        self._examples: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._count = self._last_count = 0
        self._started = monotonic()
        self._unsaved = False
        self._next_write = 0.0

    def begin_pass(self) -> None:
        """Begins a pass. The suspects of the last pass remain until this one ends."""
        self._suspects, self._examples, self._count = {}, [], 0
        self._started = monotonic()

    def note(self, finding: str, customer_id: str | None = None) -> None:
        """Records an inconsistency. `customer_id` is a customer whose answers may be wrong: it becomes a suspect."""
        self._count += 1
        if len(self._examples) < MOST_LOGGED:
            self._examples.append(finding)
            if finding not in self._known:
                _log.error("the database is inconsistent: %s", finding)
        if customer_id is not None and customer_id not in self._suspects:
            self._suspects[customer_id] = finding
            self._unsaved = self._unsaved or customer_id not in self._report.suspects

    def save(self) -> None:
        """Writes new suspects to the report for the workers, at most once in WRITE_SECONDS. Raises OSError."""
        if self._unsaved and monotonic() >= self._next_write:
            report = replace(self._report, suspects={**self._report.suspects, **self._suspects})
            self._write(replace(report, findings=self._count, examples=tuple(self._examples)))

    def end_pass(self, rows: int) -> None:
        """Ends a pass, and replaces the findings of the last one. Raises OSError."""
        if self._count != self._last_count:
            level = logging.ERROR if self._count else logging.WARNING
            found = counted(self._count, "inconsistency", "inconsistencies")
            suspects = counted(len(self._suspects), "customer")
            _log.log(level, "the background check found %s; requests for %s are refused", found, suspects)
        self._known, self._last_count = frozenset(self._examples), self._count
        self._write(
            CheckReport(
                last_pass_time=datetime.now(UTC).isoformat(timespec="seconds"),
                last_pass_seconds=round(monotonic() - self._started, 3),
                rows=rows,
                findings=self._count,
                examples=tuple(self._examples),
                suspects=self._suspects,
            )
        )

    def _write(self, report: CheckReport) -> None:
        write_report(self._path, report)
        self._report = report
        self._unsaved = False
        self._next_write = monotonic() + WRITE_SECONDS
