"""A worker's question to its storage whether changes can be made, every 0.4 s, whether there are any or not."""

from collections.abc import Callable
from threading import Event, Thread

from frostgate_server.domain.errors import OutcomeUnknown, StorageUnavailable

from .health import HealthMonitor

PERIOD_SECONDS = 0.4
"""Seconds between two questions. Two equal answers in a row change the health: they come within two seconds."""

LAST_WAIT_SECONDS = 1.0
"""Seconds that the last answer is waited for."""


class WriteProbe:
    """Asks from a thread of its own, since an answer may take as long as the disk takes. Health follows the answers."""

    def __init__(self, ensure_writable: Callable[[], None], monitor: HealthMonitor) -> None:
        """Asks from now on. `ensure_writable` raises StorageUnavailable or OutcomeUnknown if no change can be made."""
        self._ensure_writable = ensure_writable
        self._monitor = monitor
        self._ended = Event()
        self._thread = Thread(target=self._ask_all, name="write-probe", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Asks no more. Waits for an answer that is under way, but not for ever: the disk may hang."""
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
