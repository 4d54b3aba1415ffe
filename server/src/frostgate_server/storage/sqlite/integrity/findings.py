"""What the background check finds: it is logged, and written to the -check file for workers and operators."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from frostgate_server.storage.check_report import CheckReport

from .report_file import read_report, write_report

_log = logging.getLogger(__name__)

MOST_LOGGED = 20
"""Findings that are logged one by one in a pass, and that the report tells as examples."""

WRITE_SECONDS = 1.0
"""Seconds between two writes of the -check file while a pass goes on."""


class Findings:
    """The findings of one pass after the other. A suspect stays one until a whole pass did not find it."""

    def __init__(self, path: Path) -> None:
        """Takes the path of the -check file. Suspects of an earlier process are in it."""
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
        """The findings of the pass before still count, until this one ends."""
        self._suspects, self._examples, self._count = {}, [], 0
        self._started = monotonic()

    def note(self, finding: str, customer_id: str | None = None) -> None:
        """Takes note of what does not fit. A customer of whom it may give a wrong answer becomes a suspect."""
        self._count += 1
        if len(self._examples) < MOST_LOGGED:
            self._examples.append(finding)
            if finding not in self._known:
                _log.error("the record does not fit: %s", finding)
        if customer_id is not None and customer_id not in self._suspects:
            self._suspects[customer_id] = finding
            self._unsaved = self._unsaved or customer_id not in self._report.suspects

    def save(self) -> None:
        """Tells the workers of new suspects, but not too often. Raises OSError."""
        if self._unsaved and monotonic() >= self._next_write:
            report = replace(self._report, suspects={**self._report.suspects, **self._suspects})
            self._write(replace(report, findings=self._count, examples=tuple(self._examples)))

    def end_pass(self, rows: int) -> None:
        """What this pass did not find fits again. Raises OSError."""
        if self._count != self._last_count:
            level = logging.ERROR if self._count else logging.WARNING
            text = "the check of the record found %d things that do not fit; %d customers are not answered"
            _log.log(level, text, self._count, len(self._suspects))
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
