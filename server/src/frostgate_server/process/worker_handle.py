"""The supervisor's handle of one worker process: it starts the worker, sends its config, reads its reports, ends it."""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from frostgate_server.domain.errors import StartupError

from .worker_config import WorkerConfig

ANNOUNCE_SHUTDOWN = b"n"
"""The byte that tells a worker to report NOT_SERVING. It follows the config on the worker's stdin."""

LOADED = b"loaded"
SERVING = b"serving"
ALIVE = b"alive"
DRAINING = b"draining"
FAILED = b"failed: "
"""Lines that a worker writes to its stdout. The reason of a failure follows on the same line."""


class WorkerHandle:
    """A worker. It drains when its stdin is closed, and is killed when the thread that started it ends.

    `listen` updates the attributes. `status` is the exit status, or the negative number of the signal that ended the
    worker; None while it runs. `serving_since` is a time of the monotonic clock; None until it serves. `failure` is the
    reason why it cannot serve.
    """

    def __init__(self, inherited: Sequence[int]) -> None:
        """Starts a process that loads its modules and waits for its config. It inherits the `inherited` descriptors.

        Raises StartupError.
        """
        self.status: int | None = None
        self.loaded = False
        self.serving_since: float | None = None
        self.draining = False
        self.failure = ""
        self.silent_turns = 0
        self._said = b""
        self._unsent = b""
        self._announced = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                # -P: load no modules from the current directory.
                [sys.executable, "-P", "-m", f"{__package__}.worker", str(os.getpid())],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=inherited,
                # Only the supervisor handles Ctrl-C in a terminal.
                process_group=0,
                # gRPC's own log lines about failed calls do not help an operator, and hide the lines of the server.
                env={"GRPC_VERBOSITY": "NONE", **os.environ},
            )
        except OSError as error:
            raise StartupError(f"a worker cannot be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders = self._process.stdin
        self._reports = self._process.stdout
        for pipe in (self._orders, self._reports):
            os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def begin(self, config: WorkerConfig) -> None:
        """Sends the config, so that the worker serves. Then `listen` sets `serving_since`."""
        self.silent_turns = 0
        self._unsent = pickle.dumps(config)
        self._send()

    def announce_shutdown(self) -> None:
        """Makes a serving worker report NOT_SERVING and continue to serve. Does nothing before it serves: repeat it."""
        if self.serving_since is not None and not self._announced:
            self._announced = True
            self._unsent += ANNOUNCE_SHUTDOWN
            self._send()

    def listen(self) -> None:
        """Reads the reports since the last turn, counts a turn without a report, and notes the end of the process."""
        self._send()
        self.status = self._process.poll()
        said = self._reports.read() or b""
        self.silent_turns = 0 if said else self.silent_turns + 1
        *lines, self._said = (self._said + said).split(b"\n")
        self.loaded = self.loaded or LOADED in lines
        self.draining = self.draining or DRAINING in lines
        if SERVING in lines:
            self.serving_since = monotonic()
        for line in lines:
            if line.startswith(FAILED):
                self.failure = line.removeprefix(FAILED).decode()

    def drain(self) -> None:
        """Tells the worker to accept no new calls, and to end after the current ones."""
        self._orders.close()

    def _send(self) -> None:
        """Writes as much as the pipe accepts, so that a worker that does not read does not block the supervisor."""
        with suppress(BrokenPipeError, BlockingIOError):
            while self._unsent and not self._orders.closed:
                self._unsent = self._unsent[os.write(self._orders.fileno(), self._unsent) :]

    def kill(self) -> None:
        """Kills the worker, also if it hangs. This releases its locks."""
        self._process.kill()

    def release(self) -> None:
        """Closes the pipes of an ended process."""
        self.drain()
        self._reports.close()
