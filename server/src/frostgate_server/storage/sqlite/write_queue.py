"""Changes that wait for their turn, in the order in which they came.

Each change leaves the queue once: it begins, or it is withdrawn. No method blocks: the lock is held only while a
change is put into the queue or taken out of it.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from frostgate_server.storage.interface import Transaction


@dataclass(frozen=True, slots=True, eq=False)
class PendingWrite:
    """A change that waits for its turn since the moment `arrived`, and the future of its outcome."""

    work: Callable[[Transaction], Any]
    outcome: Future[Any] = field(default_factory=Future)
    arrived: float = field(default_factory=monotonic)

    def begin(self) -> bool:
        """Begins the change, unless its future was cancelled. A future cannot be cancelled afterwards."""
        return self.outcome.set_running_or_notify_cancel()


class WriteQueue:
    """The changes of one process that wait. Any thread may add, begin and withdraw changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: deque[PendingWrite] = deque()

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: PendingWrite) -> bool:
        """Adds a change behind all others. True: the queue was empty before."""
        with self._lock:
            self._changes.append(change)
            return len(self._changes) == 1

    def begin_next(self) -> PendingWrite | None:
        """Takes out the next change and begins it. None: the queue is empty."""
        while (change := self._pop()) is not None:
            if change.begin():
                return change
        return None

    def withdraw(self, change: PendingWrite) -> bool:
        """Takes out a change, so that it is never made. False: it is not in the queue any more."""
        with self._lock:
            if change not in self._changes:
                return False
            self._changes.remove(change)
            return True

    def withdraw_all(self, arrived_until: float) -> list[PendingWrite]:
        """Takes out all changes that arrived until this moment, so that they are never made."""
        withdrawn = []
        with self._lock:
            while self._changes and self._changes[0].arrived <= arrived_until:
                withdrawn.append(self._changes.popleft())
        return withdrawn

    def _pop(self) -> PendingWrite | None:
        with self._lock:
            return self._changes.popleft() if self._changes else None
