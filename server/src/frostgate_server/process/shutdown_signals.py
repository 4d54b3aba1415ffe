"""SIGTERM and SIGINT. The first requests a shutdown. The second skips the shutdown delay, or ends the process."""

import os
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ShutdownSignals:
    """Handles the signals. `asked` is True after the first one.

    The process sets `delay_ahead` while a shutdown delay runs or will run before the drain. Then the second signal
    clears `delay_ahead`, which ends the delay. Otherwise the second signal calls `at_once` and ends the process.

    The process must poll these attributes. A signal handler must not take a lock, so there is no event to wait for.
    """

    def __init__(self) -> None:
        """Installs the signal handlers."""
        self.asked = False
        self.delay_ahead = False
        self.at_once: Callable[[], object] = lambda: None
        for number in _SIGNALS:
            signal.signal(number, self._first)

    def _first(self, *_: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._later)
        self.asked = True

    def _later(self, number: int, _: object) -> None:
        """Skips the delay, or calls `at_once` and ends the process by the signal."""
        if self.delay_ahead:
            self.delay_ahead = False
            return
        self.at_once()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
