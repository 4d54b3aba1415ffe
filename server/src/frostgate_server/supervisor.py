"""The supervisor: starts the workers of a server, replaces those that die or hang, and drains them all.

It never loads gRPC, and every worker is a new program, never a fork of a running one.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Self

from .errors import StartupError
from .orders import Orders
from .worker_process import WorkerProcess

_log = logging.getLogger(__name__)

TURN = 0.1
"""Seconds between two looks at the workers."""

SILENT_TURNS = 15
"""A worker that serves and says nothing for so long hangs. Counted in the supervisor's own turns: one that was itself
kept from running, like the whole of a suspended machine, does not take its workers for hung."""

STARTING_TURNS = 600
"""The same for a worker that has orders but does not serve yet."""

RESERVE_PAUSE = 1.0
"""Seconds at least between two starts of a worker in reserve."""

LONGEST_PAUSE = 5.0
"""Seconds at most between two tries to replace a worker that does not start."""

DRAIN_GRACE = timedelta(seconds=8)
"""Beyond the drain period, for a worker to end by itself."""


class _Place:
    """A worker's place, with the worker that has it."""

    def __init__(self, number: int, worker: WorkerProcess) -> None:
        self.number = number
        self.worker: WorkerProcess | None = worker
        self.failures = 0
        self.next_try = 0.0

    def give_up(self) -> None:
        """The worker is gone: the next one comes at once, or after a pause if this one never served."""
        assert self.worker is not None
        self.failures = 0 if self.worker.ready else self.failures + 1
        pause = min(TURN * 2**self.failures, LONGEST_PAUSE) if self.failures else 0.0
        self.next_try = monotonic() + pause
        self.worker.release()
        self.worker = None


class Supervisor:
    """The workers of a server, and one in reserve that has loaded everything and waits for orders."""

    def __init__(self, workers: int, inherited: Sequence[int]) -> None:
        """Starts so many processes, which wait for orders. They keep the `inherited` files open. To be used in `with`.

        Raises StartupError.
        """
        self._inherited = inherited
        self._reserve: WorkerProcess | None = None
        self._next_reserve = 0.0
        self._places: list[_Place] = []
        self._orders: Callable[[int], Orders] | None = None
        try:
            for number in range(1, workers + 1):
                self._places.append(_Place(number, WorkerProcess(inherited)))
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for worker in self._workers():
            worker.release()

    def start(self, orders: Callable[[int], Orders], told_to_stop: Event) -> None:
        """Lets all workers serve, each with the orders for its number, and waits until they do, or need not.

        Raises StartupError if one cannot.
        """
        self._orders = orders
        for place in self._places:
            assert place.worker is not None
            place.worker.begin(orders(place.number))
        while not all(worker.ready for worker in self._workers()) and not told_to_stop.wait(TURN / 10):
            for worker in self._workers():
                worker.listen()
                if worker.status is not None or worker.failure:
                    worker.wait(1.0)
                    worker.listen()
                    raise StartupError(worker.failure or f"a worker ended with status {worker.status} as it started")

    def look_after(self) -> None:
        """One turn: takes note of the workers' signs of life, and replaces those that died or hang."""
        self._keep_reserve()
        for place in self._places:
            if place.worker is None:
                self._fill(place)
                continue
            place.worker.listen()
            if trouble := _trouble(place.worker):
                _log.warning("worker %d (process %d) %s: replacing it", place.number, place.worker.pid, trouble)
                place.give_up()
                self._fill(place)

    def drain(self, period: timedelta) -> None:
        """Asks all workers to drain and waits for their ends. Those that do not end are killed."""
        if self._reserve is not None:
            self._reserve.kill()
        for worker in self._workers():
            worker.drain()
        end = monotonic() + (period + DRAIN_GRACE).total_seconds()
        for worker in self._workers():
            if not worker.wait(max(end - monotonic(), 0.0)):
                _log.warning("process %d does not end: killing it", worker.pid)
                worker.kill()

    def end(self) -> None:
        """Ends all workers at once."""
        for worker in self._workers():
            worker.kill()

    def _workers(self) -> list[WorkerProcess]:
        serving = [place.worker for place in self._places if place.worker is not None]
        return serving if self._reserve is None else [*serving, self._reserve]

    def _fill(self, place: _Place) -> None:
        """Gives the place to the worker in reserve, if there is one and it is time."""
        if self._reserve is None or monotonic() < place.next_try:
            return
        assert self._orders is not None
        place.worker, self._reserve = self._reserve, None
        place.worker.silent_turns = 0
        place.worker.begin(self._orders(place.number))

    def _keep_reserve(self) -> None:
        if self._reserve is not None and self._reserve.status is not None:
            self._reserve.release()
            self._reserve = None
        if self._reserve is None and monotonic() >= self._next_reserve:
            self._next_reserve = monotonic() + RESERVE_PAUSE
            try:
                self._reserve = WorkerProcess(self._inherited)
            except StartupError as error:
                _log.error("%s", error)


def _trouble(worker: WorkerProcess) -> str:
    """What is wrong with a worker; nothing if nothing is."""
    if worker.failure:
        return f"cannot serve: {worker.failure}"
    if worker.status is not None:
        return f"ended by signal {-worker.status}" if worker.status < 0 else f"ended with status {worker.status}"
    if worker.silent_turns > (SILENT_TURNS if worker.ready else STARTING_TURNS):
        return "hangs"
    return ""
