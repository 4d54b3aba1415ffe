"""Threads by purpose, so that nothing slow takes the threads that checks need."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from time import monotonic, sleep
from typing import Any

from frostgate_server.domain.errors import StartupError

from .grpc_internals import is_unary, queue_after_message
from .methods import METHODS, PoolName

CHANGES_AT_ONCE = 12
"""They mostly wait, to be committed together. Then all of them want the interpreter at once, and a check waits behind
them: more would commit more in a second, and make checks wait the longer."""

PAUSE_PER_CALL_SECONDS = 0.006
"""Seconds that work which gives way rests afterwards, for each call that came meanwhile."""

MAX_PAUSE_RATIO = 3.0
"""The same at most, as a multiple of the time that the work took."""

MAX_PAUSE_SECONDS = 0.2
"""The same at most, in seconds."""


RETRY_AFTER_SECONDS = 1
"""For callers who are turned away."""

Preverification = Callable[..., Future[Any]]
"""Takes the queue of a pool and a call, and queues the call there when it may go on, or answers it."""


class ThreadPool(ThreadPoolExecutor):
    """The threads of one purpose, all started at once: what they need is there before the first call."""

    def __init__(
        self, name: str, threads: int, most_waiting: int = sys.maxsize, yields_to: "ThreadPool | None" = None
    ) -> None:
        """A call whose turn comes while more than `most_waiting` wait behind it is to be turned away.

        Each of its calls gives way to the pool that this one `yields_to`. Raises RuntimeError if the system gives no
        more threads.
        """
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._yields_to = yields_to
        self._begun = 0
        self.preverification: Preverification | None = None
        all_started = threading.Barrier(threads)
        wait([super(ThreadPool, self).submit(all_started.wait) for _ in range(threads)])

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
        """Queues a call. A unary one is queued when its message has come: silent callers take no thread."""
        if is_unary(arguments):
            return queue_after_message(self._queue, call, *arguments)
        return super().submit(call, *arguments, **more)

    def is_full(self) -> bool:
        """Whether more wait than may. The executor's own queue is the only one that knows."""
        return self._work_queue.qsize() > self._most_waiting

    def queue(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Queues a call as it is, whatever it is."""
        return super().submit(self._run, call, *arguments)

    def _queue(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return (
            self.preverification(self.queue, call, *arguments) if self.preverification else self.queue(call, *arguments)
        )

    @contextmanager
    def throttled(self) -> Iterator[None]:
        """Around work that gives way to this pool: it rests afterwards, the longer the more calls came meanwhile.

        All share one interpreter, and no call goes on while other work computes.
        """
        start, begun_before = monotonic(), self._begun
        yield
        came = self._begun - begun_before
        sleep(min(came * PAUSE_PER_CALL_SECONDS, MAX_PAUSE_RATIO * (monotonic() - start), MAX_PAUSE_SECONDS))

    def _run(self, call: Callable[..., Any], /, *arguments: Any) -> None:
        """Makes a call, and gives way where that is asked for."""
        self._begun += 1
        with self._yields_to.throttled() if self._yields_to else nullcontext():
            call(*arguments)


ThreadPools = dict[PoolName, ThreadPool]


def open_thread_pools(check_threads: int) -> ThreadPools:
    """The pools of a server. Raises StartupError if the system gives no more threads."""
    try:
        checks = ThreadPool("check", check_threads, most_waiting=2000)
        return {
            "checks": checks,
            "changes": ThreadPool("change", CHANGES_AT_ONCE, most_waiting=1000),
            "bulk": ThreadPool("bulk", 2, most_waiting=200, yields_to=checks),
            "mail": ThreadPool("mail", 4, most_waiting=100),
            "reflection": ThreadPool("reflection", 16),
            "health": ThreadPool("health", 2),
            "authentication": ThreadPool("authentication", 2, most_waiting=500, yields_to=checks),
        }
    except RuntimeError as error:
        raise StartupError(f"threads cannot be started: {error}; raise the limit of processes") from error


def set_preverification(pools: ThreadPools, preverification: Preverification) -> None:
    """Sets the preverification of all pools that answer unary calls. Streams do not pass it."""
    for method in METHODS.values():
        pools[method.pool].preverification = preverification
