"""The process of the background check. Started by the supervisor, which writes the config to stdin.

stdin stays open for as long as the supervisor wants the process, and lives.
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
"""Seconds after a pass that could not go on."""

_LARGEST_LAG = 1.0
"""Seconds of lost time that later reads catch up at most."""


def main() -> int:
    """Makes pass after pass until the supervisor lets go. Gives the exit status."""
    try:
        config: RecordCheckConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except (EOFError, pickle.UnpicklingError):
        # The supervisor has let go before the config was complete.
        return 0
    log_to_stderr(config.log_level, "record check")
    try:
        check = find_backend(config.database).open_record_check(config.prepared)
    except StorageUnavailable as error:
        _log.error("the record cannot be checked: %s", error.detail)
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
                    _log.error("a check of the record cannot go on: %s", error.detail)
                pause, trouble = RETRY_PAUSE, error.detail
            if not _is_wanted(pause):
                return 0


def _run_pass(check: RecordCheck, rows_per_second: int) -> bool:
    """Makes one pass, at most so fast. Gives whether it came to its end: False once the supervisor has let go."""
    due = monotonic()
    for rows in check.run_pass():
        due = max(due + rows / rows_per_second, monotonic() - _LARGEST_LAG)
        if not _is_wanted(due - monotonic()):
            return False
    return True


def _is_wanted(seconds: float) -> bool:
    """Waits, and gives whether the supervisor still holds this process."""
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, seconds))
    return not readable


if __name__ == "__main__":
    sys.exit(main())
