"""Logs the reasons of refusals: at most one line a second, so that strangers cannot fill a disk."""

import logging
import threading
from time import monotonic

from .one_line import on_one_line

PAUSE = 1.0
"""Seconds between two lines."""


class RateLimitedLog:
    """Logs refusals at level info, and counts those that it does not log."""

    def __init__(self, log: logging.Logger) -> None:
        """Starts with a count of 0."""
        self._log = log
        self._lock = threading.Lock()
        self._next = 0.0
        self._left_out = 0

    def note(self, why: str) -> None:
        """Logs the reason of a refusal, or counts it if the pause has not ended. `why` may quote untrusted text."""
        with self._lock:
            if monotonic() < self._next:
                self._left_out += 1
                return
            self._next = monotonic() + PAUSE
            left_out, self._left_out = self._left_out, 0
        more = f" (and {left_out} more since the last line)" if left_out else ""
        self._log.info("refused: %s%s", on_one_line(why), more)
