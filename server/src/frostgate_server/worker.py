"""A worker: the process that answers. Started by its supervisor, which gives its orders on stdin.

Everything is loaded before the orders come, so that a worker in reserve serves as soon as it is needed. stdin stays
open for as long as the supervisor wants the worker, and lives.
"""

import os
import pickle
import select
import sys
import threading
from contextlib import suppress

from . import app, process_signals
from .errors import StartupError
from .logs import log_to_stderr
from .orders import Orders
from .worker_process import ALIVE, FAILED, READY

BEAT = 0.2
"""Seconds between two signs of life."""

SWITCH_INTERVAL = 0.001
"""Seconds that a thread may keep the interpreter while others want it: a check that waits for a batch to be computed
waits this long each time it gets back from SQLite."""


def main() -> int:
    """Serves until told otherwise. Gives the exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    told_to_stop = threading.Event()
    process_signals.on_stop(told_to_stop.set)
    os.set_blocking(sys.stdout.fileno(), False)
    try:
        orders: Orders = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except EOFError:
        return 0
    log_to_stderr(orders.settings.log_level, f"worker {orders.number}")
    try:
        serving = app.start(orders)
    except (StartupError, OSError) as error:
        _report(FAILED + str(error).encode())
        return 1
    _report(READY)
    while not told_to_stop.is_set() and not _supervisor_has_let_go(BEAT):
        _report(ALIVE)
    serving.drain(orders.settings.drain_period)
    return 0


def _supervisor_has_let_go(seconds: float) -> bool:
    """Waits for that, but not longer."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable)


def _report(line: bytes) -> None:
    """Tells the supervisor, if it listens: one that is gone or hangs must not stop a worker."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(sys.stdout.fileno(), line + b"\n")


if __name__ == "__main__":
    sys.exit(main())
