"""One worker process, as its supervisor holds it: started, given orders, listened to, ended."""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from .errors import StartupError
from .orders import Orders

READY = b"ready"
ALIVE = b"alive"
FAILED = b"failed: "
"""Lines that a worker says on its stdout. A failure goes on with its reason."""


class WorkerProcess:
    """A worker. It drains when its stdin is closed, also because its supervisor is gone."""

    def __init__(self, inherited: Sequence[int]) -> None:
        """Starts a process that loads all it needs and waits for orders. It keeps the `inherited` files open."""
        self.ready = False
        self.silent_turns = 0
        self.failure = ""
        self._said = b""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", f"{__package__}.worker"],
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
        os.set_blocking(self._reports.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended: its exit status, or the number of a signal, negative. None while it runs."""
        return self._process.poll()

    def begin(self, orders: Orders) -> None:
        """Lets it serve. `ready` tells when it does."""
        with suppress(BrokenPipeError):
            pickle.dump(orders, self._orders)
            self._orders.flush()

    def listen(self) -> None:
        """Takes note of what it said since the last turn: of nothing, too."""
        said = self._reports.read() or b""
        self.silent_turns = 0 if said else self.silent_turns + 1
        *lines, self._said = (self._said + said).split(b"\n")
        self.ready = self.ready or READY in lines
        for line in lines:
            if line.startswith(FAILED):
                self.failure = line.removeprefix(FAILED).decode()

    def drain(self) -> None:
        """Asks it to take no new calls, and to end once those under way have."""
        with suppress(BrokenPipeError):
            self._orders.close()

    def wait(self, seconds: float) -> bool:
        """Waits for its end. Tells whether it came in time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Ends it at once, also if it hangs, and with it every lock that it held."""
        self._process.kill()

    def release(self) -> None:
        """Ends it at once, and lets go of what was held for it."""
        self.kill()
        self._process.wait()
        self.drain()
        self._reports.close()
