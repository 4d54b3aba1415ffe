"""A pytest plugin: no process outlives the run.

At the end of the run every process with its mark is reported and killed, and the run fails. A guardian kills them if
pytest itself is killed.
"""

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest
from support.processes import MARK, kill_marked, marked

GRACE = 3.0
"""Seconds to wait for processes that are ending."""

_LEFTOVERS = pytest.StashKey[list[str]]()
_GUARDIAN = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    """Gives the run its mark and its guardian. A worker of pytest-xdist adds its name to the mark.

    A worker has no guardian: that could kill leftovers of the worker before the check of the run reports them.
    """
    if worker := getattr(config, "workerinput", None):
        os.environ[MARK] = f"{os.environ[MARK]}/{worker['workerid']}"
        return
    os.environ[MARK] = uuid4().hex
    config.stash[_GUARDIAN] = _guardian(os.environ[MARK])


def _guardian(mark: str) -> subprocess.Popen[bytes]:
    """Starts the program that outlives this process. It has no mark, because it must not kill itself."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("guardian.py")), mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != MARK},
        start_new_session=True,
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Reports and kills leftover processes. Runs after pytest-xdist has ended its workers."""
    if hasattr(session.config, "workerinput"):
        return
    mark = os.environ[MARK]
    end = monotonic() + GRACE
    while (left := marked(mark)) and monotonic() < end:
        sleep(0.05)
    session.config.stash[_LEFTOVERS] = [f"process {pid}: {command}" for pid, command in left.items()]
    if left:
        kill_marked(mark)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the leftover processes."""
    for line in config.stash.get(_LEFTOVERS, []):
        terminalreporter.write_line(f"outlived the tests: {line}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the guardian, after the check for leftovers."""
    guardian = config.stash.get(_GUARDIAN, None)
    if guardian is not None:
        guardian.communicate(b"ended", timeout=60)
