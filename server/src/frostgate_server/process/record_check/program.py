"""The process of the background check. The supervisor starts it and writes the config to its stdin.

It ends when its stdin is closed, by the supervisor or by the end of the supervisor.
"""

import logging
import pickle
import select
import sys
from contextlib import closing
from time import monotonic

from frostgate_server.domain.errors import StorageUnavailable
from frostgate_server.observability.logging_setup import log_to_stderr
from frostgate_server.storage.backend import RecordCheck
from frostgate_server.storage.backends import find_backend

from .config import RecordCheckConfig

_log = logging.getLogger(__name__)

PASS_PAUSE = 1.0
"""Seconds between two passes."""

RETRY_PAUSE = 5.0
"""Seconds until the next pass after one that failed."""

_LARGEST_LAG = 1.0
"""The maximum delay in seconds that later reads make up for."""


def main() -> int:
    """Runs one pass after the other until stdin is closed. Returns the exit status."""
    try:
        config: RecordCheckConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except (EOFError, pickle.UnpicklingError):
        # The supervisor closed stdin before the config was complete.
        return 0
    log_to_stderr(config.log_level, "record check")
    try:
        check = find_backend(config.database).open_record_check(config.prepared)
    except StorageUnavailable as error:
        _log.error("the background check cannot open the database: %s", error.detail)
        return 1
    with closing(check):
        trouble = ""
        while True:
            try:
                if not _run_pass(check, config.rows):
                    return 0
                pause, trouble = PASS_PAUSE, ""
            except StorageUnavailable as error:
                if error.detail != trouble:
                    _log.error("the background check cannot continue: %s", error.detail)
                pause, trouble = RETRY_PAUSE, error.detail
            if not _is_wanted(pause):
                return 0


def _run_pass(check: RecordCheck, rows_per_second: int) -> bool:
    """Runs one pass at a limited speed. Returns False if stdin was closed before its end."""
    due = monotonic()
    for rows in check.run_pass():
        due = max(due + rows / rows_per_second, monotonic() - _LARGEST_LAG)
        if not _is_wanted(due - monotonic()):
            return False
    return True


def _is_wanted(seconds: float) -> bool:
    """Waits for some seconds. Returns False once the supervisor has closed stdin."""
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, seconds))
    return not readable


if __name__ == "__main__":
    sys.exit(main())
