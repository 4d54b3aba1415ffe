"""Writes lines to a pipe or file that may block: a thread writes them, and other threads do not wait for it."""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

MOST_BYTES = 1024 * 1024
"""Bytes that may be queued. Further lines are lost."""

NOTICE_SECONDS = 1.0
"""The longest time in seconds between two notices of lost lines, while lines are written and others are lost."""


class LineWriter:
    """Writes lines to a descriptor, in order. Lines are lost if the queue is full, or if they cannot be written.

    It holds no lock while it calls `os.write`: a thread that hangs there does not keep the process from ending.
    `lost` counts the lost lines. `failure` is the error of the last write, None if it succeeded.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        most_bytes: int = MOST_BYTES,
        describe_lost: Callable[[int], str] | None = None,
    ) -> None:
        """Starts the thread, with this name.

        `describe_lost` makes the line with the number of lines that were lost since the last such line; None: no such
        lines.
        """
        self.lost = 0
        self.failure: OSError | None = None
        self._descriptor = descriptor
        self._most_bytes = most_bytes
        self._describe_lost = describe_lost
        self._told = 0
        self._notice_due: float | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._idle = True
        # Reentrant: a destructor that runs during `put` may write to stderr too.
        self._changed = threading.Condition(threading.RLock())
        threading.Thread(target=self._write_all, name=name, daemon=True).start()

    def put(self, line: str) -> bool:
        """Queues a line, without a line break. Returns whether there was room."""
        encoded = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._changed:
            if self._waiting_bytes + len(encoded) > self._most_bytes:
                self.lost += 1
                return False
            self._waiting.append(encoded)
            self._waiting_bytes += len(encoded)
            self._idle = False
            self._changed.notify_all()
        return True

    def flush(self, seconds: float) -> bool:
        """Waits until all lines are written or lost, at most `seconds`. Returns whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._idle, seconds)

    def _write_all(self) -> None:
        while True:
            self._write_batch(self._next_batch())
            self._tell_lost()

    def _next_batch(self) -> list[bytes]:
        """The lines that fit into one atomic write; at least one line. They stay queued."""
        with self._changed:
            if not self._waiting:
                self._idle = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting)
            batch = [self._waiting[0]]
            size = len(batch[0])
            while len(batch) < len(self._waiting) and size + len(self._waiting[len(batch)]) <= select.PIPE_BUF:
                size += len(self._waiting[len(batch)])
                batch.append(self._waiting[len(batch)])
            return batch

    def _write_batch(self, batch: list[bytes]) -> None:
        self.failure = self._write(b"".join(batch))
        with self._changed:
            for line in batch:
                self._waiting.popleft()
                self._waiting_bytes -= len(line)
            if self.failure is not None:
                self.lost += len(batch)

    def _tell_lost(self) -> None:
        """Writes the number of lost lines: after the queued lines, or once a second if the queue is never empty."""
        lost = self.lost
        if self._describe_lost is None or lost == self._told or self.failure is not None:
            return
        if self._notice_due is None:
            self._notice_due = monotonic() + NOTICE_SECONDS
        if self._waiting and monotonic() < self._notice_due:
            return
        if self._write(self._describe_lost(lost - self._told).encode() + b"\n") is None:
            self._told, self._notice_due = lost, None

    def _write(self, data: bytes) -> OSError | None:
        """Writes all data, without a time limit. Returns the error if it cannot."""
        try:
            while data:
                data = data[self._write_some(data) :]
        except OSError as error:
            return error
        return None

    def _write_some(self, data: bytes) -> int:
        """Returns the number of bytes written. Another process may have made the descriptor non-blocking."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            select.select([], [self._descriptor], [])
            return 0
