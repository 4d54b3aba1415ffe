"""A worker's check of its storage: every 0.4 s it asks whether the storage can commit changes."""

from collections.abc import Callable
from threading import Event, Thread

from frostgate_server.domain.errors import OutcomeUnknown, StorageUnavailable

from .health import HealthMonitor

PERIOD_SECONDS = 0.4
"""Seconds between two checks. Two equal answers in a row change the health, and come within two seconds."""

LAST_WAIT_SECONDS = 1.0
"""Seconds to wait for the last answer."""


class WriteProbe:
    """Asks from its own thread, because a slow disk delays the answer. The monitor sets the health by the answers."""

    def __init__(self, ensure_writable: Callable[[], None], monitor: HealthMonitor) -> None:
        """Starts the thread. `ensure_writable` raises StorageUnavailable or OutcomeUnknown if no change can be made."""
        self._ensure_writable = ensure_writable
        self._monitor = monitor
        self._ended = Event()
        self._thread = Thread(target=self._ask_all, name="write-probe", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops the thread. Waits for an answer in progress, at most LAST_WAIT_SECONDS: the disk may hang."""
        self._ended.set()
        self._thread.join(LAST_WAIT_SECONDS)

    def _ask_all(self) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            self._ask()

    def _ask(self) -> None:
        try:
            self._ensure_writable()
        except (StorageUnavailable, OutcomeUnknown) as error:
            self._monitor.note_answer(good=False, cause=error.detail)
        else:
            self._monitor.note_answer(good=True)
