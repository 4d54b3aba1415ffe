"""One worker process, as its supervisor holds it: started, given its config, listened to, ended."""

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
"""The byte that a worker reads from its stdin, behind its config, when it is to say NOT_SERVING."""

LOADED = b"loaded"
SERVING = b"serving"
ALIVE = b"alive"
DRAINING = b"draining"
FAILED = b"failed: "
"""Lines that a worker says on its stdout. A failure goes on with its reason."""


class WorkerHandle:
    """A worker. It drains when its stdin is closed, and is killed when the thread that started it ends.

    What is known of it is as of the last `listen`. `status` is how it ended: its exit status, or the number of a
    signal, negative; None while it runs. `serving_since` is a moment of the monotonic clock, None until it serves;
    `failure` says why it cannot.
    """

    def __init__(self, inherited: Sequence[int]) -> None:
        """Starts a process that loads all it needs and waits for its config. It keeps the `inherited` files open.

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
                # -P: nothing is loaded from the directory in which the server happens to be started.
                [sys.executable, "-P", "-m", f"{__package__}.worker", str(os.getpid())],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=inherited,
                # Ctrl-C in a terminal is the supervisor's business.
                process_group=0,
                # What gRPC itself says of calls that go wrong is no help to an operator, and hides our own lines.
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
        """Its process id."""
        return self._process.pid

    def begin(self, config: WorkerConfig) -> None:
        """Lets it serve. `serving_since` tells when it does."""
        self.silent_turns = 0
        self._unsent = pickle.dumps(config)
        self._send()

    def announce_shutdown(self) -> None:
        """Has it say NOT_SERVING and go on serving, once it serves. To be repeated until it does."""
        if self.serving_since is not None and not self._announced:
            self._announced = True
            self._unsent += ANNOUNCE_SHUTDOWN
            self._send()

    def listen(self) -> None:
        """Takes note of what it said since the last turn, of nothing too, and of its end once all is heard."""
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
        """Asks it to take no new calls, and to end once those under way have."""
        self._orders.close()

    def _send(self) -> None:
        """Writes as much as the pipe takes: a worker that does not read must not stop its supervisor."""
        with suppress(BrokenPipeError, BlockingIOError):
            while self._unsent and not self._orders.closed:
                self._unsent = self._unsent[os.write(self._orders.fileno(), self._unsent) :]

    def kill(self) -> None:
        """Ends it at once, also if it hangs, and with it every lock that it held."""
        self._process.kill()

    def release(self) -> None:
        """Lets go of what was held for a process that has ended."""
        self.drain()
        self._reports.close()
