"""Thread pools, one for each purpose, so that slow calls do not take the threads of other calls."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from time import monotonic, sleep
from typing import Any, TypeVar

from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError

from .methods import PoolName

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

PAUSE_PER_CHECK_SECONDS = 0.006
"""Seconds of pause after throttled work, for each check that came while it ran."""

MAX_PAUSE_RATIO = 3.0
"""The longest pause, as a multiple of the time that the work took."""

MAX_PAUSE_SECONDS = 0.2
"""The longest pause, in seconds."""


class Throttle:
    """Pauses after work that computes, because it delays checks: all threads share one interpreter."""

    def __init__(self) -> None:
        """Counts no checks. Set `count` to a function that returns the number of checks that were taken so far."""
        self.count: Callable[[], int] = int

    @contextmanager
    def throttled(self) -> Iterator[None]:
        """Pauses after the block. The more checks came while it ran, the longer is the pause."""
        start, before = monotonic(), self.count()
        yield
        came = self.count() - before
        if came:
            sleep(min(came * PAUSE_PER_CHECK_SECONDS, MAX_PAUSE_RATIO * (monotonic() - start), MAX_PAUSE_SECONDS))


class ThreadPool(ThreadPoolExecutor):
    """The threads of one purpose. All are started and prepared before the first call."""

    def __init__(self, name: str, threads: int, prepare: Callable[[], object] = int) -> None:
        """Each thread calls `prepare` first. Raises RuntimeError if the system refuses to start a thread."""
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._prepare = prepare
        self._all_started = Barrier(threads)
        for started in [super(ThreadPool, self).submit(self._start) for _ in range(threads)]:
            started.result()

    def run(self, work: Callable[..., None], *arguments: object) -> None:
        """Runs `work` in a thread of the pool as soon as one is free. Logs an exception."""
        self.submit(work, *arguments).add_done_callback(_log_failure)

    def _start(self) -> None:
        self._all_started.wait()
        self._prepare()


class ThrottledThreadPool(ThreadPool):
    """Threads that pause after work, so that checks can run."""

    def __init__(self, name: str, threads: int, prepare: Callable[[], object], throttle: Throttle) -> None:
        """As in ThreadPool."""
        super().__init__(name, threads, prepare)
        self._throttle = throttle

    def submit(self, work: Callable[..., _Result], /, *arguments: Any, **more: Any) -> Future[_Result]:
        return super().submit(self._run, work, *arguments, **more)

    def _run(self, work: Callable[..., _Result], /, *arguments: Any, **more: Any) -> _Result:
        with self._throttle.throttled():
            return work(*arguments, **more)


def _log_failure(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.error("work of a thread pool failed", exc_info=error)


ThreadPools = dict[PoolName, ThreadPool]

_THREADS: dict[PoolName, int] = {
    "changes": 2,
    "bulk": 2,
    "lists": 2,
    "mail": 4,
    "reflection": 1,
    "health": 1,
    "authentication": 2,
}
"""Threads of each pool, except the pool of checks."""

_THREADS_THAT_WAIT: dict[PoolName, int] = {"changes": 12, "reflection": 16, "health": 4}
"""Threads of the pools in which a call keeps its thread until it ends: only with grpcio's own dispatch."""

_THROTTLED = {"bulk", "lists", "authentication"}


def open_thread_pools(settings: Settings, prepare: Callable[[], object], throttle: Throttle) -> ThreadPools:
    """The pools of a server. Raises StartupError if the system refuses to start a thread."""
    threads: dict[PoolName, int] = {"checks": settings.check_threads, **_THREADS}
    if settings.call_dispatch == "grpcio":
        threads.update(_THREADS_THAT_WAIT)
    try:
        return {name: _open(name, count, prepare, throttle) for name, count in threads.items()}
    except RuntimeError as error:
        raise StartupError(f"threads cannot be started: {error}; raise the limit of processes") from error


def _open(name: PoolName, threads: int, prepare: Callable[[], object], throttle: Throttle) -> ThreadPool:
    if name in _THROTTLED:
        return ThrottledThreadPool(name, threads, prepare, throttle)
    return ThreadPool(name, threads, prepare)
