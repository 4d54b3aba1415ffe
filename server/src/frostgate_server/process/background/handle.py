"""The supervisor's handle of a background process: it starts the process, restarts it, and ends it."""

import logging
import pickle
import subprocess
import sys
from contextlib import suppress
from time import monotonic

_log = logging.getLogger(__name__)

START_DELAY = 5.0
"""Seconds from the start of the server until the process starts, so that it takes no CPU time from the first calls."""

RESTART_PAUSE = 30.0
"""Seconds from one start to the next, if the process ends by itself."""

LAST_WAIT = 2.0
"""Seconds that `close` waits for the process to end."""


class BackgroundProcess:
    """A background process. Only `close` blocks."""

    def __init__(self, name: str, module: str, config: object) -> None:
        """The process runs the program `module` after START_DELAY. `name` is for the log.

        The program reads the pickled config from stdin, and ends when stdin is closed.
        """
        self._name = name
        self._module = module
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = monotonic() + START_DELAY

    def supervise(self) -> None:
        """One turn: starts the process when it is due, and logs its end."""
        if self._process is not None and (status := self._process.poll()) is not None:
            _log.warning("%s ended with status %d: it starts again later", self._name, status)
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
                [sys.executable, "-P", "-m", self._module],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                # Only the supervisor handles Ctrl-C in a terminal.
                process_group=0,
            )
        except OSError as error:
            _log.error("%s cannot be started: %s", self._name, error)
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
