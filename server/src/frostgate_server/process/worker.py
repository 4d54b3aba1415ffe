"""A worker: a process that answers calls. The supervisor starts it and writes the config to its stdin.

A worker loads all modules before it gets the config, so that a worker in reserve can serve without delay. It drains
when the supervisor closes its stdin. If the supervisor dies, the system kills the worker.
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
"""Seconds between two checks for a signal."""

SWITCH_INTERVAL = 0.001
"""Seconds that a thread may keep the GIL while other threads wait for it. While a batch is computed, a check waits this
long each time it returns from SQLite."""

END_GRACE = timedelta(seconds=12)
"""Time after the drain period. A worker that has not ended by then exits without cleanup, as in a crash."""


def main() -> int:
    """Serves until the worker must end. Returns the exit status. The program's argument is the supervisor's id."""
    end_with_parent(int(sys.argv[1]))
    sys.setswitchinterval(SWITCH_INTERVAL)
    os.set_blocking(sys.stdout.fileno(), False)
    threading.excepthook = _end_with_the_thread
    _report(LOADED)
    heartbeat = Heartbeat(partial(_report, ALIVE))
    try:
        config: WorkerConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor's own
    except (EOFError, pickle.UnpicklingError):
        # The supervisor closed stdin before the config was complete.
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
    """Excludes objects loaded at startup from garbage collection, which would stop calls for tens of milliseconds."""
    gc.collect()
    gc.freeze()


def _serve(server: WorkerServer, stop: ShutdownSignals, delay: timedelta) -> None:
    """Serves until the drain: when the supervisor closes stdin, or `delay` after a signal to this process."""
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
    """Waits at most POLL_SECONDS for the supervisor. Returns False if it has closed stdin."""
    descriptor = sys.stdin.fileno()
    readable, _, _ = select.select([descriptor], [], [], POLL_SECONDS)
    if not readable:
        return True
    if os.read(descriptor, 1) != ANNOUNCE_SHUTDOWN:
        return False
    server.announce_shutdown()
    return True


def _end_at_once() -> None:
    _log.error("this process does not end in time: it exits without cleanup, as in a crash")
    _exit_at_once(1)


def _end_with_the_thread(died: threading.ExceptHookArgs) -> None:
    """Ends the process after an exception in a thread. The supervisor then replaces the worker."""
    name = died.thread.name if died.thread else "without a name"
    _log.critical("thread %s died, so the process ends", name, exc_info=died.exc_value)
    _exit_at_once(1)


def _exit_at_once(status: int) -> NoReturn:
    """Ends the process without cleanup. Only the log is flushed."""
    logging.shutdown()
    os._exit(status)


def _report(line: bytes) -> None:
    """Sends a line to the supervisor. Does not block or fail if the supervisor has ended or hangs."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(sys.stdout.fileno(), line + b"\n")


if __name__ == "__main__":
    # A thread of gRPC may still wait for connections of silent clients, for as long as the drain period.
    _exit_at_once(main())
