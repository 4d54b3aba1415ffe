"""The log on stderr: lines of all processes of a server, each with the name of its process.

If the reader of stderr is too slow, lines are lost. Nothing else is affected.
"""

import io
import logging
import sys

from .counted import counted
from .line_writer import LineWriter

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""Seconds that a process waits at its end until its lines are written."""

_STDERR = 2


class StderrLog(logging.Handler):
    """Queues lines for the thread that writes them to stderr."""

    def __init__(self) -> None:
        """Starts the thread."""
        super().__init__()
        self.lines = LineWriter(_STDERR, "log", describe_lost=self._describe_lost)

    @property
    def lost_lines(self) -> int:
        """The number of lines that were lost since the start of the process."""
        return self.lines.lost

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a line, or counts it as lost."""
        self.lines.put(self.format(record))

    def flush(self) -> None:
        """Waits until the lines are written, for a bounded time. `logging.shutdown` calls it at the end."""
        self.lines.flush(FLUSH_SECONDS)

    def _describe_lost(self, count: int) -> str:
        said = f"lost {counted(count, 'log line')}: the reader of stderr was too slow, or stderr cannot be written to"
        return self.format(_log.makeRecord(_log.name, logging.WARNING, __file__, 0, said, (), None))


class _Stderr(io.TextIOBase):
    """Replaces `sys.stderr`, for text that is written there without the log, such as a traceback."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._unfinished = ""

    def write(self, text: str) -> int:
        *finished, self._unfinished = (self._unfinished + text).split("\n")
        for line in finished:
            self._lines.put(line)
        return len(text)


def log_to_stderr(level: str, process: str) -> StderrLog:
    """Configures the log. `level` is debug, info, warning or error."""
    log = StderrLog()
    logging.basicConfig(
        level=level.upper(), format=f"%(asctime)s %(levelname)s {process}: %(name)s: %(message)s", handlers=[log]
    )
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    sys.stderr = _Stderr(log.lines)
    return log
