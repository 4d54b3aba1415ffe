"""SIGTERM and SIGINT: the first asks for a shutdown, the second skips its delay, or ends the process."""

import os
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ShutdownSignals:
    """Notices the signals from now on. `asked` tells whether the first has come.

    `delay_ahead` is set by the process while a shutdown delay is under way, or comes before the drain: the second
    signal then ends the delay, by clearing it. Any other second signal calls `at_once` and ends the process.

    To be looked up now and then: a lock, such as that of an event to wait for, must not be taken by a signal handler.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
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
        """Skips the delay, or calls `at_once` and dies of the signal."""
        if self.delay_ahead:
            self.delay_ahead = False
            return
        self.at_once()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
