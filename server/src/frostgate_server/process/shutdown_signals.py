"""SIGTERM and SIGINT: the first asks for a drain, the second ends the process."""

import os
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ShutdownSignals:
    """Notices the signals from now on. `asked` tells whether the first has come.

    To be looked up now and then: a lock, such as that of an event to wait for, must not be taken by a signal handler.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False
        self.at_once: Callable[[], object] = lambda: None
        for number in _SIGNALS:
            signal.signal(number, self._first)

    def _first(self, *_: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._second)
        self.asked = True

    def _second(self, number: int, _: object) -> None:
        """Calls `at_once`, and dies of the signal."""
        self.at_once()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
