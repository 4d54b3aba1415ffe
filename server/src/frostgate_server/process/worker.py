"""A worker: the process that answers. Started by its supervisor, which writes the config to stdin.

Everything is loaded before the config comes, so that a worker in reserve serves as soon as it is needed. stdin stays
open for as long as the supervisor wants the worker, and lives.
"""

import gc
import logging
import os
import pickle
import select
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from time import sleep

from frostgate_server.domain.errors import StartupError
from frostgate_server.observability.logging_setup import log_to_stderr

from .shutdown_signals import ShutdownSignals
from .worker_config import WorkerConfig
from .worker_handle import ALIVE, DRAINING, FAILED, LOADED, SERVING
from .worker_server import start_server

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.2
"""Seconds between two signs of life."""

POLL_SECONDS = 0.2
"""Seconds between two looks at whether a signal has come."""

SWITCH_INTERVAL = 0.001
"""Seconds that a thread may keep the interpreter while others want it: a check that waits for a batch to be computed
waits this long each time it gets back from SQLite."""

END_GRACE = timedelta(seconds=12)
"""Beyond the drain period, until a worker that does not come to an end leaves all as it is, as in a crash."""


def main() -> int:
    """Serves until told otherwise. Gives the exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    os.set_blocking(sys.stdout.fileno(), False)
    threading.excepthook = _end_with_the_thread
    _report(LOADED)
    threading.Thread(target=_send_heartbeats, name="heartbeat", daemon=True).start()
    try:
        config: WorkerConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except EOFError:
        return 0
    stop = ShutdownSignals()
    log_to_stderr(config.settings.log_level, f"worker {config.number}")
    try:
        server = start_server(config)
    except (StartupError, OSError) as error:
        _report(FAILED + str(error).encode())
        return 1
    _keep_what_is_loaded()
    _report(SERVING)
    while not stop.asked and not _supervisor_has_let_go(POLL_SECONDS):
        pass
    _report(DRAINING)
    period = config.settings.drain_period
    last = threading.Timer((period + END_GRACE).total_seconds(), _end_at_once)
    last.daemon = True
    last.start()
    server.drain(period)
    return 0


def _keep_what_is_loaded() -> None:
    """Spares the garbage collector all that stays: to look through it stops every call for tens of milliseconds."""
    gc.collect()
    gc.freeze()


def _send_heartbeats() -> None:
    """Shows that the process lives, and that its threads get the interpreter."""
    while True:
        _report(ALIVE)
        sleep(HEARTBEAT_SECONDS)


def _supervisor_has_let_go(seconds: float) -> bool:
    """Waits for that, but not longer."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable)


def _end_at_once() -> None:
    _log.error("does not come to an end, and leaves all as in a crash")
    os._exit(1)


def _end_with_the_thread(died: threading.ExceptHookArgs) -> None:
    """A thread that died of an exception does its work no more: another worker shall do it."""
    name = died.thread.name if died.thread else "a thread"
    _log.critical("%s died, and the process with it", name, exc_info=died.exc_value)
    os._exit(1)


def _report(line: bytes) -> None:
    """Tells the supervisor, if it listens: one that is gone or hangs must not stop a worker."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(sys.stdout.fileno(), line + b"\n")


if __name__ == "__main__":
    sys.exit(main())
