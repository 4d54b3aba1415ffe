"""The supervisor: starts the workers of a server, replaces those that die or hang, and drains them all.

It never loads gRPC, and every worker is a new program, never a fork of a running one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from frostgate_server.domain.errors import StartupError

from .shutdown_signals import ShutdownSignals
from .worker_config import WorkerConfig
from .worker_handle import WorkerHandle

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Seconds between two looks at the workers."""

LOADING_PATIENCE = timedelta(seconds=30)
"""How long a worker may load before it says that it is loaded, where the patience of the settings is shorter."""

SETTLED = 5.0
"""A worker that served for so many seconds was no failure, whatever became of it."""

LONGEST_PAUSE = 5.0
"""Seconds at most between two tries to fill a place in which workers fail."""

DRAIN_GRACE = timedelta(seconds=15)
"""Beyond the drain period, for a worker to end: longer than it grants itself."""

LAST_WAIT = 1.0
"""Seconds that killed workers are waited for in the end."""


@dataclass(slots=True)
class _WorkerSlot:
    """A place for a worker. Its number is that of the worker; 0 is that of the reserve."""

    number: int
    worker: WorkerHandle | None = None
    failures: int = 0
    next_try: float = 0.0

    @property
    def name(self) -> str:
        """As the log calls it."""
        return f"worker {self.number}" if self.number else "the worker in reserve"

    def vacate(self) -> None:
        """The worker is gone: the next may come at once, or after a pause if several failed one after the other."""
        assert self.worker is not None
        since = self.worker.serving_since
        self.failures = 0 if since is not None and monotonic() - since > SETTLED else self.failures + 1
        pause = min(POLL_SECONDS * 2**self.failures, LONGEST_PAUSE) if self.failures > 1 else 0.0
        self.next_try = monotonic() + pause
        self.worker = None


@dataclass(slots=True)
class _EndingWorker:
    """A worker that is to end by itself until some moment, and then is killed."""

    worker: WorkerHandle
    last_moment: float
    killed: bool = False

    def kill(self) -> None:
        """Ends it at once."""
        self.worker.kill()
        self.killed = True


class Supervisor:
    """The workers of a server, and one in reserve that is loaded and waits for its config. Used in `with`."""

    def __init__(
        self, workers: int, inherited: Sequence[int], drain_period: timedelta, worker_patience: timedelta
    ) -> None:
        """Starts `workers` processes, which wait for their config. They keep the `inherited` files open.

        A worker that shows no sign of life for `worker_patience` is replaced. Silence is counted in the supervisor's
        own turns: one that did not run itself, as in a suspended machine, does not take its workers for hung.

        Raises StartupError.
        """
        self._inherited = inherited
        self._drain_period = drain_period
        self._most_silent_turns = worker_patience.total_seconds() / POLL_SECONDS
        self._most_loading_turns = max(worker_patience, LOADING_PATIENCE).total_seconds() / POLL_SECONDS
        self._reserve = _WorkerSlot(0)
        self._places = [_WorkerSlot(number) for number in range(1, workers + 1)]
        self._leaving: list[_EndingWorker] = []
        self._config: Callable[[int], WorkerConfig] | None = None
        try:
            for place in self._places:
                place.worker = WorkerHandle(inherited)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, config: Callable[[int], WorkerConfig], stop: ShutdownSignals) -> None:
        """Gives each worker the config for its number, and waits until all serve or a stop is requested.

        Raises StartupError if one cannot.
        """
        self._config = config
        for place in self._places:
            assert place.worker is not None
            place.worker.begin(config(place.number))
        waited_for = self._workers()
        while waited_for and not stop.asked:
            sleep(POLL_SECONDS)
            for worker in waited_for:
                worker.listen()
                if trouble := self._trouble(worker):
                    raise StartupError(worker.failure or f"a worker {trouble} as it started")
            waited_for = [worker for worker in waited_for if worker.serving_since is None]

    def supervise(self) -> None:
        """One turn: takes note of the workers' signs of life, and replaces those that died or hang."""
        self._reap_ending_workers()
        for place in [*self._places, self._reserve]:
            if place.worker is not None:
                self._look_at(place, place.worker)
            if place.worker is None and monotonic() >= place.next_try:
                self._fill(place)

    def drain(self) -> None:
        """Asks all workers to drain, and waits for their ends. Those that do not end, or hang, are killed."""
        for place in [*self._places, self._reserve]:
            if place.worker is not None:
                place.worker.drain()
                self._leaving.append(_EndingWorker(place.worker, self._last_moment()))
                place.worker = None
        while self._leaving:
            sleep(POLL_SECONDS)
            self._reap_ending_workers()

    def end(self) -> None:
        """Ends all workers at once."""
        workers = self._workers() + [one.worker for one in self._leaving]
        for worker in workers:
            worker.kill()
        last = monotonic() + LAST_WAIT
        while workers and monotonic() < last:
            for worker in workers:
                worker.listen()
            workers = [worker for worker in workers if worker.status is None]
            sleep(POLL_SECONDS / 10)

    def _workers(self) -> list[WorkerHandle]:
        return [place.worker for place in [*self._places, self._reserve] if place.worker is not None]

    def _look_at(self, place: _WorkerSlot, worker: WorkerHandle) -> None:
        serving_before = worker.serving_since
        worker.listen()
        if worker.serving_since != serving_before:
            _log.info("%s serves as process %d", place.name, worker.pid)
        if worker.draining:
            _log.info("%s (process %d) was asked to drain", place.name, worker.pid)
            self._leaving.append(_EndingWorker(worker, self._last_moment()))
            place.vacate()
        elif trouble := self._trouble(worker):
            _log.warning("%s (process %d) %s", place.name, worker.pid, trouble)
            dying = _EndingWorker(worker, monotonic())
            dying.kill()
            self._leaving.append(dying)
            place.vacate()

    def _fill(self, place: _WorkerSlot) -> None:
        """With the worker in reserve, if there is one, or with a new one."""
        assert self._config is not None
        try:
            if place is self._reserve:
                place.worker = WorkerHandle(self._inherited)
                return
            place.worker = self._taken_from_reserve() or WorkerHandle(self._inherited)
            place.worker.begin(self._config(place.number))
        except StartupError as error:
            place.next_try = monotonic() + LONGEST_PAUSE
            _log.error("%s: %s", place.name, error)

    def _taken_from_reserve(self) -> WorkerHandle | None:
        """The worker in reserve, if it was loaded and shows signs of life."""
        worker = self._reserve.worker
        if worker is None or not worker.loaded or self._trouble(worker):
            return None
        self._reserve.worker, self._reserve.failures = None, 0
        return worker

    def _reap_ending_workers(self) -> None:
        """Lets go of workers that have ended, and kills those that hang or do not end."""
        for one in list(self._leaving):
            one.worker.listen()
            if one.worker.status is not None:
                one.worker.release()
                self._leaving.remove(one)
            elif not one.killed and (self._trouble(one.worker) or monotonic() > one.last_moment):
                _log.warning("process %d hangs as it drains: killing it", one.worker.pid)
                one.kill()

    def _last_moment(self) -> float:
        return monotonic() + (self._drain_period + DRAIN_GRACE).total_seconds()

    def _trouble(self, worker: WorkerHandle) -> str:
        """What is wrong with a worker; nothing if nothing is."""
        if worker.failure:
            return f"cannot serve: {worker.failure}"
        if worker.status is not None:
            return f"ended by signal {-worker.status}" if worker.status < 0 else f"ended with status {worker.status}"
        if worker.silent_turns > (self._most_silent_turns if worker.loaded else self._most_loading_turns):
            return "hangs"
        return ""
