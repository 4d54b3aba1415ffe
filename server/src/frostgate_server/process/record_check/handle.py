"""The supervisor's handle of the background check process: it starts the process, restarts it, and ends it."""

import logging
import pickle
import subprocess
import sys
from contextlib import suppress
from time import monotonic

from .config import RecordCheckConfig

_log = logging.getLogger(__name__)

START_DELAY = 5.0
"""Seconds from the start of the server until the check begins, so that it takes no CPU time from the first calls."""

RESTART_PAUSE = 30.0
"""Seconds from one start to the next, if the process ends by itself."""

LAST_WAIT = 2.0
"""Seconds that `close` waits for the process to end."""


class RecordCheckHandle:
    """The process of the background check. Only `close` blocks."""

    def __init__(self, config: RecordCheckConfig) -> None:
        """The process starts after START_DELAY. With 0 rows in a second it never starts."""
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = monotonic() + START_DELAY

    def supervise(self) -> None:
        """One turn: starts the process when it is due, and logs its end."""
        if not self._config.rows:
            return
        if self._process is not None and (status := self._process.poll()) is not None:
            _log.warning("the background check ended with status %d: it starts again later", status)
            self._release()
        if self._process is None and monotonic() >= self._next_start:
            self._next_start = monotonic() + RESTART_PAUSE
            self._start()

    def close(self) -> None:
        """Ends the process."""
        process = self._process
        if process is None:
            return
        self._release()
        try:
            process.wait(LAST_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()

    def _start(self) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                # -P: load no modules from the current directory.
                [sys.executable, "-P", "-m", f"{__package__}.program"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                # Only the supervisor handles Ctrl-C in a terminal.
                process_group=0,
            )
        except OSError as error:
            _log.error("the background check cannot be started: %s", error)
            return
        assert self._process.stdin is not None
        # The config has a few kilobytes, so the write does not block.
        with suppress(BrokenPipeError):
            self._process.stdin.write(pickle.dumps(self._config))

    def _release(self) -> None:
        """Closes the stdin of the process, which makes it end."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
