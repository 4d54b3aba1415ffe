"""Why strangers were refused, in the log: a line a second at most, so that none of them can fill a disk."""

import logging
import threading
from time import monotonic

from .one_line import on_one_line

PAUSE = 1.0
"""Seconds between two lines."""


class RateLimitedLog:
    """Notes refusals at info, and counts those that it leaves out."""

    def __init__(self, log: logging.Logger) -> None:
        """Nothing is left out yet."""
        self._log = log
        self._lock = threading.Lock()
        self._next = 0.0
        self._left_out = 0

    def note(self, why: str) -> None:
        """Logs why somebody was refused, unless there was a line just now. `why` may quote what a stranger sent."""
        with self._lock:
            if monotonic() < self._next:
                self._left_out += 1
                return
            self._next = monotonic() + PAUSE
            left_out, self._left_out = self._left_out, 0
        more = f" (and {left_out} more since the last line)" if left_out else ""
        self._log.info("refused: %s%s", on_one_line(why), more)
