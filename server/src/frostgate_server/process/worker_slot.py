"""The places of workers, and workers that leave their places."""

from dataclasses import dataclass
from time import monotonic

from .worker_handle import WorkerHandle

SETTLED = 5.0
"""Seconds. A worker that served longer than this does not count as failed, however it ends."""

SHORTEST_PAUSE = 0.1
"""The base of the pause between starts of workers that fail, in seconds. The pause doubles with each failure."""

LONGEST_PAUSE = 5.0
"""The longest such pause, in seconds."""


@dataclass(slots=True)
class WorkerSlot:
    """A place for a worker. `number` is the number of the worker; 0 is the worker in reserve."""

    number: int
    worker: WorkerHandle | None = None
    failures: int = 0
    next_try: float = 0.0

    @property
    def name(self) -> str:
        """The name in log lines."""
        return f"worker {self.number}" if self.number else "the worker in reserve"

    def vacate(self) -> None:
        """Removes the worker. The next one may start at once, or after a pause if several failed in a row."""
        assert self.worker is not None
        since = self.worker.serving_since
        self.failures = 0 if since is not None and monotonic() - since > SETTLED else self.failures + 1
        pause = min(SHORTEST_PAUSE * 2**self.failures, LONGEST_PAUSE) if self.failures > 1 else 0.0
        self.next_try = monotonic() + pause
        self.worker = None


@dataclass(slots=True)
class EndingWorker:
    """A worker that ends by itself until `last_moment`, or is killed then."""

    worker: WorkerHandle
    last_moment: float
    killed: bool = False

    def kill(self) -> None:
        """Kills the worker."""
        self.worker.kill()
        self.killed = True
