"""The supervisor: starts the workers of a server, replaces those that die or hang, and drains them all.

It never loads gRPC. Every worker is a new program, never a fork of a running one.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError

from .probe_directory import ProbeDirectory
from .shutdown_signals import ShutdownSignals
from .worker_config import WorkerConfig
from .worker_handle import WorkerHandle
from .worker_slot import LONGEST_PAUSE, EndingWorker, WorkerSlot

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Seconds between two checks of the workers."""

LOADING_PATIENCE = timedelta(seconds=30)
"""How long a worker may take to load, if the setting `worker_patience` is shorter."""

DRAIN_GRACE = timedelta(seconds=15)
"""Time for a worker to end after the drain period. It is longer than the worker's own limit."""

LAST_WAIT = 1.0
"""Seconds that `end` waits for killed workers."""

RESERVE_DELAY = 5.0
"""Seconds from the start until a worker in reserve is loaded, so that it takes no CPU time from the first calls."""

_HANGS = "hangs"


class Supervisor:
    """The workers of a server, and a loaded worker in reserve that waits for its config. A context manager.

    `probe_directory` is for the sockets of the workers. It exists until `end`.
    """

    def __init__(self, workers: int, inherited: Sequence[int], settings: Settings) -> None:
        """Starts `workers` processes, which wait for their config. They inherit the `inherited` descriptors.

        A worker without a heartbeat for the `worker_patience` is replaced. The time without a heartbeat is counted in
        turns of the supervisor. So after a pause of the whole machine, the workers do not count as hanging.

        Raises StartupError.
        """
        patience = settings.worker_patience
        self._inherited = inherited
        self._drain_period = settings.drain_period
        self._shutdown_delay = settings.effective_shutdown_delay
        self._most_silent_turns = patience.total_seconds() / POLL_SECONDS
        self._most_loading_turns = max(patience, LOADING_PATIENCE).total_seconds() / POLL_SECONDS
        self._replaced: WorkerSlot | None = None
        """The place of a serving worker that hung, until its replacement serves or fails."""
        self._reserve = WorkerSlot(0)
        self._places = [WorkerSlot(number) for number in range(1, workers + 1)]
        self._leaving: list[EndingWorker] = []
        self._config: Callable[[int], WorkerConfig] | None = None
        self.probe_directory = ProbeDirectory(settings.database.parent)
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
        """Sends each worker the config for its number, and waits until all serve or a stop is requested.

        Raises StartupError if a worker cannot serve.
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
                    raise StartupError(worker.failure or f"a worker {trouble} during its start")
            waited_for = [worker for worker in waited_for if worker.serving_since is None]
        self._reserve.next_try = monotonic() + RESERVE_DELAY

    def supervise(self) -> None:
        """One turn: reads the heartbeats of the workers, and replaces those that died or hang."""
        self._reap_ending_workers()
        for place in [*self._places, self._reserve]:
            if place.worker is not None:
                self._look_at(place, place.worker)
            if place.worker is None and monotonic() >= place.next_try:
                self._fill(place)

    def announce_shutdown(self, stop: ShutdownSignals) -> None:
        """Makes the workers report NOT_SERVING, and waits for the shutdown delay while they continue to answer calls.

        Workers that end are not replaced. The wait ends early if no worker is left or `stop.delay_ahead` is cleared.
        """
        end = monotonic() + self._shutdown_delay.total_seconds()
        while stop.delay_ahead and monotonic() < end and (self._leaving or any(one.worker for one in self._places)):
            self._reap_ending_workers()
            for place in self._places:
                if place.worker is not None:
                    place.worker.announce_shutdown()
                    self._look_at(place, place.worker)
            sleep(POLL_SECONDS)
        stop.delay_ahead = False

    def drain(self) -> None:
        """Makes all workers drain, and waits until they end. Kills workers that do not end in time, or hang."""
        for one in self._leaving:
            one.worker.drain()
        for place in [*self._places, self._reserve]:
            if place.worker is not None:
                place.worker.drain()
                self._leaving.append(EndingWorker(place.worker, self._last_moment()))
                place.worker = None
        while self._leaving:
            sleep(POLL_SECONDS)
            self._reap_ending_workers()

    def end(self) -> None:
        """Kills all workers, and removes the probe directory."""
        workers = self._workers() + [one.worker for one in self._leaving]
        for worker in workers:
            worker.kill()
        last = monotonic() + LAST_WAIT
        while workers and monotonic() < last:
            for worker in workers:
                worker.listen()
            workers = [worker for worker in workers if worker.status is None]
            sleep(POLL_SECONDS / 10)
        self.probe_directory.remove()

    def _workers(self) -> list[WorkerHandle]:
        return [place.worker for place in [*self._places, self._reserve] if place.worker is not None]

    def _look_at(self, place: WorkerSlot, worker: WorkerHandle) -> None:
        serving_before = worker.serving_since
        worker.listen()
        if worker.serving_since != serving_before:
            _log.info("%s serves as process %d", place.name, worker.pid)
            self._note_outcome(place)
        if worker.draining:
            _log.info("%s (process %d) was asked to drain", place.name, worker.pid)
            self._note_outcome(place)
            self._leaving.append(EndingWorker(worker, self._last_moment() + self._shutdown_delay.total_seconds()))
            place.vacate()
        elif (trouble := self._trouble(worker)) and self._may_replace(worker, trouble):
            _log.warning("%s (process %d) %s", place.name, worker.pid, trouble)
            self._note_outcome(place)
            if trouble == _HANGS and worker.serving_since is not None:
                self._replaced = place
            dying = EndingWorker(worker, monotonic())
            dying.kill()
            self._leaving.append(dying)
            place.vacate()

    def _may_replace(self, worker: WorkerHandle, trouble: str) -> bool:
        """Whether the worker may be replaced now. Only one hanging worker that served is replaced at a time: if a slow
        disk makes all workers hang, they must not all be killed. Others are replaced at once."""
        return trouble != _HANGS or worker.serving_since is None or self._replaced is None

    def _note_outcome(self, place: WorkerSlot) -> None:
        """Allows the next replacement of a hanging worker, if the last one was in this place."""
        if self._replaced is place:
            self._replaced = None

    def _fill(self, place: WorkerSlot) -> None:
        """Fills a place with the worker in reserve, if it is ready, or with a new one."""
        assert self._config is not None
        try:
            if place is self._reserve:
                place.worker = WorkerHandle(self._inherited)
                return
            place.worker = self._taken_from_reserve() or WorkerHandle(self._inherited)
            place.worker.begin(self._config(place.number))
        except StartupError as error:
            place.next_try = monotonic() + LONGEST_PAUSE
            self._note_outcome(place)
            _log.error("%s: %s", place.name, error)

    def _taken_from_reserve(self) -> WorkerHandle | None:
        """The worker in reserve, if it is loaded and has no trouble."""
        worker = self._reserve.worker
        if worker is None or not worker.loaded or self._trouble(worker):
            return None
        self._reserve.worker, self._reserve.failures = None, 0
        return worker

    def _reap_ending_workers(self) -> None:
        """Releases workers that have ended, and kills those that hang or do not end in time."""
        for one in list(self._leaving):
            one.worker.listen()
            if one.worker.status is not None:
                one.worker.release()
                self.probe_directory.remove_socket(one.worker.pid)
                self._leaving.remove(one)
            elif not one.killed and (self._trouble(one.worker) or monotonic() > one.last_moment):
                _log.warning("process %d hangs during its drain: it is killed", one.worker.pid)
                one.kill()

    def _last_moment(self) -> float:
        return monotonic() + (self._drain_period + DRAIN_GRACE).total_seconds()

    def _trouble(self, worker: WorkerHandle) -> str:
        """The problem of a worker; empty if there is none."""
        if worker.failure:
            return f"cannot serve: {worker.failure}"
        if worker.status is not None:
            return f"ended by signal {-worker.status}" if worker.status < 0 else f"ended with status {worker.status}"
        if worker.silent_turns > (self._most_silent_turns if worker.loaded else self._most_loading_turns):
            return _HANGS
        return ""
