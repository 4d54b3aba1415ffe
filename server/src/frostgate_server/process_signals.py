"""SIGTERM and SIGINT: the first asks for a drain, the second ends the process."""

import os
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def on_stop(stop: Callable[[], object], end: Callable[[], object] = lambda: None) -> None:
    """Calls `stop` at the first signal. At the second it calls `end`, and the process dies of the signal."""

    def first(*_: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, second)
        stop()

    def second(number: int, _: object) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in _SIGNALS:
        signal.signal(number, first)
