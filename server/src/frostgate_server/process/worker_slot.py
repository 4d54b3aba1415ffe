"""The places of workers, and workers that are leaving theirs."""

from dataclasses import dataclass
from time import monotonic

from .worker_handle import WorkerHandle

SETTLED = 5.0
"""A worker that served for so many seconds was no failure, whatever became of it."""

SHORTEST_PAUSE = 0.1
"""Seconds, doubled with each failure, between two tries to fill a place in which workers fail."""

LONGEST_PAUSE = 5.0
"""Seconds at most between two such tries."""


@dataclass(slots=True)
class WorkerSlot:
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
        pause = min(SHORTEST_PAUSE * 2**self.failures, LONGEST_PAUSE) if self.failures > 1 else 0.0
        self.next_try = monotonic() + pause
        self.worker = None


@dataclass(slots=True)
class EndingWorker:
    """A worker that is to end by itself until some moment, and then is killed."""

    worker: WorkerHandle
    last_moment: float
    killed: bool = False

    def kill(self) -> None:
        """Ends it at once."""
        self.worker.kill()
        self.killed = True
