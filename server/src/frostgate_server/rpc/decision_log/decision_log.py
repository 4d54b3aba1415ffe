"""The decision log of a worker: queues the records of decisions, and tells whether their answers may be sent."""

import logging
from collections.abc import Callable
from time import monotonic, time

from frostgate_server.observability.record_queue import RecordQueue, WaitingRecords

from .records import DecisionRecords

_log = logging.getLogger(__name__)

LONGEST_WAIT = 1.0
"""Seconds that a check waits for room in the queue."""


class DecisionLog:
    """Queues records from any thread. Nothing waits."""

    def __init__(self, records: DecisionRecords, queue: RecordQueue, *, blocks: bool) -> None:
        """`blocks`: an answer needs its records in the queue. Otherwise a full queue loses records."""
        self.records = records
        self._queue = queue
        self._blocks = blocks

    def put(self, lines: str) -> bool:
        """Queues records. Returns whether the answers may be sent now."""
        encoded = lines.encode()
        if self._queue.put(encoded):
            return True
        if self._blocks:
            return False
        self._queue.lose(encoded)
        return True

    def put_later(self, lines: str, deadline: float, done: Callable[[bool], None]) -> None:
        """Queues records when there is room, until the `deadline` (seconds since the epoch) and LONGEST_WAIT at most.

        Then calls `done`, in any thread, with whether the answer may be sent. It must return at once.
        """

        def finish(is_queued: bool) -> None:
            try:
                done(is_queued)
            except Exception:  # noqa: BLE001 - an error of one call must not stop the thread, which serves other calls
                _log.exception("a check that waited for the decision log failed")

        until = monotonic() + min(LONGEST_WAIT, deadline - time())
        if not self._queue.put_later(WaitingRecords(lines.encode(), until, finish)):
            finish(False)

    def tick(self) -> None:
        """Ends the wait of checks that waited too long. Call it several times a second."""
        self._queue.tick()

    def close(self, seconds: float) -> None:
        """Writes the queued records, for at most `seconds`."""
        self._queue.close(seconds)
