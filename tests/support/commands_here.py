"""Runs commands of frostgate-server in this process: a separate process takes 0.4 s to load."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

from frostgate_server.__main__ import main


def output_here(*arguments: str) -> str:
    """The stdout of a command. Its exit status must be 0."""
    with _captured() as (said, log):
        status = main(arguments)
    assert status == 0, log.getvalue()
    return said.getvalue()


def refused_here(*arguments: str) -> str:
    """Like `refused_start`. Do not use it for `serve`, which would serve in this process if it is not refused."""
    with _captured() as (said, log):
        status = main(arguments)
    assert (status, said.getvalue()) == (1, "")
    line, rest = log.getvalue().split("\n", 1)
    assert rest == "", log.getvalue()
    assert line.startswith("frostgate-server: ")
    return line.removeprefix("frostgate-server: ")


@contextmanager
def _captured() -> Iterator[tuple[StringIO, StringIO]]:
    """Captures stdout and stderr, and restores the handler of SIGINT, which a command sets."""
    said, log = StringIO(), StringIO()
    handler = signal.getsignal(signal.SIGINT)
    try:
        with redirect_stdout(said), redirect_stderr(log):
            yield said, log
    finally:
        signal.signal(signal.SIGINT, handler)
