"""The process of the background check, as the supervisor holds it: started, started again if it ends, ended."""

import logging
import pickle
import subprocess
import sys
from contextlib import suppress
from time import monotonic

from .config import RecordCheckConfig

_log = logging.getLogger(__name__)

START_DELAY = 5.0
"""Seconds from the start of the server until the check begins: the first calls have the processors to themselves."""

RESTART_PAUSE = 30.0
"""Seconds from one start to the next, if the process ends by itself."""

LAST_WAIT = 2.0
"""Seconds that the process is waited for in the end."""


class RecordCheckHandle:
    """Nothing in it waits, but for `close`."""

    def __init__(self, config: RecordCheckConfig) -> None:
        """The process starts after a while. With 0 rows in a second it never does."""
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = monotonic() + START_DELAY

    def supervise(self) -> None:
        """One turn: starts the process when it is time to, and takes note of its end."""
        if not self._config.rows:
            return
        if self._process is not None and (status := self._process.poll()) is not None:
            _log.warning("the check of the record ended with status %d, and starts again later", status)
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
                # -P: nothing is loaded from the directory in which the server happens to be started.
                [sys.executable, "-P", "-m", f"{__package__}.program"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                # Ctrl-C in a terminal is the supervisor's business.
                process_group=0,
            )
        except OSError as error:
            _log.error("the check of the record cannot be started: %s", error)
            return
        assert self._process.stdin is not None
        # A few kilobytes: a pipe takes them at once.
        with suppress(BrokenPipeError):
            self._process.stdin.write(pickle.dumps(self._config))

    def _release(self) -> None:
        """Closes its stdin, at which it ends."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
