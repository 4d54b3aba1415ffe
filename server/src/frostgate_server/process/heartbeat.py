"""The heartbeat of a worker: it tells the supervisor that the process lives, and that its server answers."""

import threading
from collections.abc import Callable
from time import sleep
from typing import Protocol

HEARTBEAT_SECONDS = 0.2
"""Seconds between two beats."""


class Probe(Protocol):
    """Tells whether a server answers."""

    def is_alive(self) -> bool:
        """Whether the server answers calls. It returns within a bounded time, which is short beside the patience of
        the supervisor, and it raises no error."""


class Heartbeat:
    """Calls `beat` from a thread of its own. While it follows a probe, it does so only if the probe is alive."""

    def __init__(self, beat: Callable[[], object]) -> None:
        """Beats from now on. A beat shows that the threads of the process get the interpreter."""
        self._beat = beat
        self._probe: Probe | None = None
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def follow(self, probe: Probe) -> None:
        """Beats only if the probe is alive, while the server serves."""
        self._probe = probe

    def beat_plainly(self) -> None:
        """Beats without a probe, while the server drains."""
        self._probe = None

    def _run(self) -> None:
        while True:
            probe = self._probe
            if probe is None or probe.is_alive():
                self._beat()
            sleep(HEARTBEAT_SECONDS)
