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

from .shutdown_signals import Stop
from .worker_config import Orders
from .worker_handle import WorkerProcess

_log = logging.getLogger(__name__)

TURN = 0.1
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
class _Place:
    """A place for a worker. Its number is that of the worker; 0 is that of the reserve."""

    number: int
    worker: WorkerProcess | None = None
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
        pause = min(TURN * 2**self.failures, LONGEST_PAUSE) if self.failures > 1 else 0.0
        self.next_try = monotonic() + pause
        self.worker = None


@dataclass(slots=True)
class _Leaving:
    """A worker that is to end by itself until some moment, and then is killed."""

    worker: WorkerProcess
    last_moment: float
    killed: bool = False

    def kill(self) -> None:
        """Ends it at once."""
        self.worker.kill()
        self.killed = True


class Supervisor:
    """The workers of a server, and one in reserve that has loaded everything and waits for orders. Used in `with`."""

    def __init__(
        self, workers: int, inherited: Sequence[int], drain_period: timedelta, worker_patience: timedelta
    ) -> None:
        """Starts so many processes, which wait for orders. They keep the `inherited` files open.

        A worker that shows no sign of life for `worker_patience` is replaced. Silence is counted in the supervisor's
        own turns: one that did not run itself, as in a suspended machine, does not take its workers for hung.

        Raises StartupError.
        """
        self._inherited = inherited
        self._drain_period = drain_period
        self._most_silent_turns = worker_patience.total_seconds() / TURN
        self._most_loading_turns = max(worker_patience, LOADING_PATIENCE).total_seconds() / TURN
        self._reserve = _Place(0)
        self._places = [_Place(number) for number in range(1, workers + 1)]
        self._leaving: list[_Leaving] = []
        self._orders: Callable[[int], Orders] | None = None
        try:
            for place in self._places:
                place.worker = WorkerProcess(inherited)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, orders: Callable[[int], Orders], stop: Stop) -> None:
        """Lets all workers serve, each with the orders for its number, and waits until they do, or are not to.

        Raises StartupError if one cannot.
        """
        self._orders = orders
        for place in self._places:
            assert place.worker is not None
            place.worker.begin(orders(place.number))
        waited_for = self._workers()
        while waited_for and not stop.asked:
            sleep(TURN)
            for worker in waited_for:
                worker.listen()
                if trouble := self._trouble(worker):
                    raise StartupError(worker.failure or f"a worker {trouble} as it started")
            waited_for = [worker for worker in waited_for if worker.serving_since is None]

    def look_after(self) -> None:
        """One turn: takes note of the workers' signs of life, and replaces those that died or hang."""
        self._see_off()
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
                self._leaving.append(_Leaving(place.worker, self._last_moment()))
                place.worker = None
        while self._leaving:
            sleep(TURN)
            self._see_off()

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
            sleep(TURN / 10)

    def _workers(self) -> list[WorkerProcess]:
        return [place.worker for place in [*self._places, self._reserve] if place.worker is not None]

    def _look_at(self, place: _Place, worker: WorkerProcess) -> None:
        serving_before = worker.serving_since
        worker.listen()
        if worker.serving_since != serving_before:
            _log.info("%s serves as process %d", place.name, worker.pid)
        if worker.draining:
            _log.info("%s (process %d) was asked to drain", place.name, worker.pid)
            self._leaving.append(_Leaving(worker, self._last_moment()))
            place.vacate()
        elif trouble := self._trouble(worker):
            _log.warning("%s (process %d) %s", place.name, worker.pid, trouble)
            dying = _Leaving(worker, monotonic())
            dying.kill()
            self._leaving.append(dying)
            place.vacate()

    def _fill(self, place: _Place) -> None:
        """With the worker in reserve, if there is one, or with a new one."""
        assert self._orders is not None
        try:
            if place is self._reserve:
                place.worker = WorkerProcess(self._inherited)
                return
            place.worker = self._taken_from_reserve() or WorkerProcess(self._inherited)
            place.worker.begin(self._orders(place.number))
        except StartupError as error:
            place.next_try = monotonic() + LONGEST_PAUSE
            _log.error("%s: %s", place.name, error)

    def _taken_from_reserve(self) -> WorkerProcess | None:
        """The worker in reserve, if it was loaded and shows signs of life."""
        worker = self._reserve.worker
        if worker is None or not worker.loaded or self._trouble(worker):
            return None
        self._reserve.worker, self._reserve.failures = None, 0
        return worker

    def _see_off(self) -> None:
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

    def _trouble(self, worker: WorkerProcess) -> str:
        """What is wrong with a worker; nothing if nothing is."""
        if worker.failure:
            return f"cannot serve: {worker.failure}"
        if worker.status is not None:
            return f"ended by signal {-worker.status}" if worker.status < 0 else f"ended with status {worker.status}"
        if worker.silent_turns > (self._most_silent_turns if worker.loaded else self._most_loading_turns):
            return "hangs"
        return ""
