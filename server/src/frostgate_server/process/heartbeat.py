"""The heartbeat of a worker. It tells the supervisor that the process is alive, and that its server answers calls."""

import threading
from collections.abc import Callable
from time import sleep
from typing import Protocol

HEARTBEAT_SECONDS = 0.2
"""Seconds between two beats."""


class Probe(Protocol):
    """Tests whether a server answers calls."""

    def is_alive(self) -> bool:
        """Whether the server answers calls. Raises no error, and returns long before the supervisor's patience ends."""


class Heartbeat:
    """Calls `beat` periodically in its own thread. While it follows a probe, it calls it only if the probe is alive."""

    def __init__(self, beat: Callable[[], object]) -> None:
        """Starts to beat. A beat shows that threads of this process can run Python code."""
        self._beat = beat
        self._probe: Probe | None = None
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def follow(self, probe: Probe) -> None:
        """From now on beats only if the probe is alive. For the time while the server serves."""
        self._probe = probe

    def beat_plainly(self) -> None:
        """From now on beats without a probe. For the time while the server drains."""
        self._probe = None

    def _run(self) -> None:
        while True:
            probe = self._probe
            if probe is None or probe.is_alive():
                self._beat()
            sleep(HEARTBEAT_SECONDS)
