"""A bounded queue of records. A thread writes them in blocks; other threads never wait for it.

A record is a line. It is written at most about PERIOD after it was queued, unless its target does not accept it.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from .log_fields import fields
from .record_targets import RecordTarget

_log = logging.getLogger(__name__)

PERIOD = 0.05
"""Seconds between two writes. Waking the thread for each record would take CPU time from the threads of calls."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of records that may be queued."""

MOST_WAITING = 2000
"""Items that may wait for room in the queue. Together they have at most MOST_BYTES."""

NOTICE_SECONDS = 1.0
"""The shortest time in seconds between two lines of the target with the number of lost records."""

WARNING_SECONDS = 10.0
"""The shortest time in seconds between two lines of the log with this number."""

_TAKEN_BYTES = 64 * 1024
"""Bytes that the thread takes from the queue at once, if one item does not have more."""


@dataclass(frozen=True, slots=True)
class WaitingRecords:
    """Lines that wait for room until a time of the monotonic clock. Then `done` is called with whether they are queued.

    `done` runs in any thread. It must return at once and raise nothing.
    """

    lines: bytes
    until: float
    done: Callable[[bool], None]


class RecordQueue:
    """Queues lines from any thread. `lost` counts the lost lines."""

    def __init__(
        self, target: RecordTarget, describe_lost: Callable[[int], bytes], most_bytes: int = MOST_BYTES
    ) -> None:
        """Starts the thread. `describe_lost` makes a line that tells how many lines were lost."""
        self.lost = 0
        self._target = target
        self._describe_lost = describe_lost
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._queued: deque[bytes] = deque()
        self._bytes = 0
        self._waiting: deque[WaitingRecords] = deque()
        self._waiting_bytes = 0
        self._told = self._warned = 0
        self._next_notice = self._next_warning = 0.0
        self._failure = ""
        self._unwritten = b""
        self._wake = threading.Event()
        self._closing = self._given_up = False
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def put(self, lines: bytes) -> bool:
        """Queues lines. Returns False if there is no room for all, or others wait for room."""
        with self._lock:
            if self._waiting or self._bytes + len(lines) > self._most_bytes:
                return False
            self._add(lines)
        return True

    def lose(self, lines: bytes) -> None:
        """Counts lines as lost."""
        with self._lock:
            self.lost += lines.count(b"\n")

    def put_later(self, item: WaitingRecords) -> bool:
        """Queues lines as soon as there is room for them. Returns False if too many items wait for room already."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING or self._waiting_bytes + len(item.lines) > self._most_bytes:
                return False
            self._waiting.append(item)
            self._waiting_bytes += len(item.lines)
        return True

    def tick(self) -> None:
        """Ends the wait of items whose time is over, and logs lost lines. Call it several times a second."""
        now = monotonic()
        if self.lost != self._warned and now >= self._next_warning:
            self._next_warning = now + WARNING_SECONDS
            self._warn()
        if self._waiting:
            self._admit()
            self._give_up_late(now)

    def _give_up_late(self, now: float) -> None:
        with self._lock:
            late = [item for item in self._waiting if item.until <= now]
            if late:
                self._waiting = deque(item for item in self._waiting if item.until > now)
                self._waiting_bytes -= sum(len(item.lines) for item in late)
        for item in late:
            item.done(False)

    def close(self, seconds: float) -> None:
        """Writes what is queued, for at most `seconds`. What is not written then is lost."""
        self._closing = True
        self._wake.set()
        self._thread.join(seconds)
        self._given_up = True
        with self._lock:
            self.lost += self._unwritten.count(b"\n") + sum(lines.count(b"\n") for lines in self._queued)
        if self.lost != self._warned:
            self._warn()

    def _add(self, lines: bytes) -> None:
        self._queued.append(lines)
        self._bytes += len(lines)
        if self._bytes > self._most_bytes // 2:
            self._wake.set()

    def _run(self) -> None:
        while not self._given_up:
            self._write_queued()
            if self._closing and not (self._unwritten or self._queued):
                return
            self._wake.wait(PERIOD)
            self._wake.clear()

    def _write_queued(self) -> None:
        """Writes until nothing is queued, or the target does not accept more."""
        try:
            self._target.rest()
            if not self._failure:
                self._tell_lost()
            while self._unwritten or self._take():
                self._write_block()
            self._failure = ""
        except OSError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                _log.error("the decision log cannot be written: %s", error)

    def _take(self) -> bool:
        """Takes the first items of the queue. They count as queued until they are written."""
        taken, size = [], 0
        with self._lock:
            while self._queued and size < _TAKEN_BYTES:
                taken.append(self._queued.popleft())
                size += len(taken[-1])
            self._unwritten = b"".join(taken)
        return bool(taken)

    def _write_block(self) -> None:
        block = self._unwritten
        if len(block) > self._target.largest_block:
            block = block[: block.rfind(b"\n", 0, self._target.largest_block) + 1]
        written = self._target.write(block)
        self._unwritten = self._unwritten[written:]
        with self._lock:
            self._bytes -= written
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        """Queues waiting items in their order, as far as there is room."""
        admitted = []
        with self._lock:
            while self._waiting and self._bytes + len(self._waiting[0].lines) <= self._most_bytes:
                item = self._waiting.popleft()
                self._waiting_bytes -= len(item.lines)
                self._add(item.lines)
                admitted.append(item)
        for item in admitted:
            item.done(True)

    def _tell_lost(self) -> None:
        """Queues a line with the number of lines that were lost since the last such line."""
        lost = self.lost
        if lost == self._told or (monotonic() < self._next_notice and not self._closing):
            return
        self._next_notice = monotonic() + NOTICE_SECONDS
        count, self._told = lost - self._told, lost
        with self._lock:
            self._add(self._describe_lost(count))

    def _warn(self) -> None:
        count, self._warned = self.lost - self._warned, self.lost
        text = "%d records of the decision log were lost: its target was too slow, or cannot be written"
        _log.warning(text, count, extra=fields(lost_records=count))
