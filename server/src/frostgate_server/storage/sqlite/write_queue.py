"""The queue of waiting changes, in the order of arrival.

Each change leaves the queue once: it begins, or it is withdrawn. No method blocks for long, because the lock is held
only while a change is added or removed.
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
    """A change that waits since `arrived`, and the future of its outcome."""

    work: Callable[[Transaction], Any]
    outcome: Future[Any] = field(default_factory=Future)
    arrived: float = field(default_factory=monotonic)

    def begin(self) -> bool:
        """Begins the change and returns True, unless its future was cancelled. Afterwards it cannot be cancelled."""
        return self.outcome.set_running_or_notify_cancel()


class WriteQueue:
    """The waiting changes of one process. Any thread may add, begin and withdraw changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: deque[PendingWrite] = deque()

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: PendingWrite) -> bool:
        """Adds a change at the end. Returns True if the queue was empty before."""
        with self._lock:
            self._changes.append(change)
            return len(self._changes) == 1

    def begin_next(self) -> PendingWrite | None:
        """Removes the next change and begins it. Returns None if the queue is empty."""
        while (change := self._pop()) is not None:
            if change.begin():
                return change
        return None

    def withdraw(self, change: PendingWrite) -> bool:
        """Removes a change, so that it is never made. Returns False if it is no longer in the queue."""
        with self._lock:
            if change not in self._changes:
                return False
            self._changes.remove(change)
            return True

    def withdraw_all(self, arrived_until: float) -> list[PendingWrite]:
        """Removes all changes that arrived until this moment, so that they are never made."""
        withdrawn = []
        with self._lock:
            while self._changes and self._changes[0].arrived <= arrived_until:
                withdrawn.append(self._changes.popleft())
        return withdrawn

    def _pop(self) -> PendingWrite | None:
        with self._lock:
            return self._changes.popleft() if self._changes else None
