"""A worker: the process that answers. Started by its supervisor, which writes the config to stdin.

Everything is loaded before the config comes, so that a worker in reserve serves as soon as it is needed. stdin stays
open for as long as the supervisor wants the worker. If the supervisor dies, the system kills the worker.
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
from functools import partial
from time import monotonic
from typing import NoReturn

from frostgate_server.domain.errors import StartupError
from frostgate_server.observability.logging_setup import log_to_stderr

from .core_affinity import keep_to_core
from .heartbeat import Heartbeat
from .shutdown_signals import ShutdownSignals
from .system.parent_death import end_with_parent
from .worker_config import WorkerConfig
from .worker_handle import ALIVE, ANNOUNCE_SHUTDOWN, DRAINING, FAILED, LOADED, SERVING
from .worker_server import WorkerServer, start_server

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""Seconds between two looks at whether a signal has come."""

SWITCH_INTERVAL = 0.001
"""Seconds that a thread may keep the interpreter while others want it: a check that waits for a batch to be computed
waits this long each time it gets back from SQLite."""

END_GRACE = timedelta(seconds=12)
"""Beyond the drain period, until a worker that does not come to an end leaves all as it is, as in a crash."""


def main() -> int:
    """Serves until told otherwise. Gives the exit status. Its argument is the id of the supervisor."""
    end_with_parent(int(sys.argv[1]))
    sys.setswitchinterval(SWITCH_INTERVAL)
    os.set_blocking(sys.stdout.fileno(), False)
    threading.excepthook = _end_with_the_thread
    _report(LOADED)
    heartbeat = Heartbeat(partial(_report, ALIVE))
    try:
        config: WorkerConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except (EOFError, pickle.UnpicklingError):
        # The supervisor has let go before the config was complete.
        return 0
    stop = ShutdownSignals()
    log_to_stderr(config.settings.log_level, f"worker {config.number}")
    if config.core is not None:
        keep_to_core(config.core)
    try:
        server = start_server(config)
    except (StartupError, OSError) as error:
        _report(FAILED + str(error).encode())
        return 1
    _keep_what_is_loaded()
    heartbeat.follow(server)
    _report(SERVING)
    _serve(server, stop, config.settings.effective_shutdown_delay)
    heartbeat.beat_plainly()
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


def _serve(server: WorkerServer, stop: ShutdownSignals, delay: timedelta) -> None:
    """Serves until the server is to drain: when the supervisor lets go, or `delay` after a signal to this process."""
    stop.delay_ahead = delay > timedelta()
    while not stop.asked and _hear_supervisor(server):
        pass
    _report(DRAINING)
    server.announce_shutdown()
    end = monotonic() + delay.total_seconds()
    while stop.delay_ahead and monotonic() < end and _hear_supervisor(server):
        pass
    stop.delay_ahead = False


def _hear_supervisor(server: WorkerServer) -> bool:
    """Waits for the supervisor, but not long. Gives whether it still holds this worker."""
    descriptor = sys.stdin.fileno()
    readable, _, _ = select.select([descriptor], [], [], POLL_SECONDS)
    if not readable:
        return True
    if os.read(descriptor, 1) != ANNOUNCE_SHUTDOWN:
        return False
    server.announce_shutdown()
    return True


def _end_at_once() -> None:
    _log.error("does not come to an end, and leaves all as in a crash")
    _exit_at_once(1)


def _end_with_the_thread(died: threading.ExceptHookArgs) -> None:
    """A thread that died of an exception does its work no more: another worker shall do it."""
    name = died.thread.name if died.thread else "a thread"
    _log.critical("%s died, and the process with it", name, exc_info=died.exc_value)
    _exit_at_once(1)


def _exit_at_once(status: int) -> NoReturn:
    """Ends the process without any clean-up, but for the lines of the log."""
    logging.shutdown()
    os._exit(status)


def _report(line: bytes) -> None:
    """Tells the supervisor, if it listens: one that is gone or hangs must not stop a worker."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(sys.stdout.fileno(), line + b"\n")


if __name__ == "__main__":
    # A thread of gRPC may still wait for connections whose callers are silent, for as long as the drain period.
    _exit_at_once(main())
