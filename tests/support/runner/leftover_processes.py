"""A pytest plugin: no process outlives the run.

At the end of the run every process with its mark is named and killed, and the run fails. A guardian kills them where
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
"""Seconds for processes that are about to end."""

_LEFTOVERS = pytest.StashKey[list[str]]()
_GUARDIAN = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    """Gives the run its mark and its guardian. A worker of pytest-xdist adds its name to the mark.

    A worker has no guardian of its own: one that is killed late would hide its leftovers from the check of the run.
    """
    if worker := getattr(config, "workerinput", None):
        os.environ[MARK] = f"{os.environ[MARK]}/{worker['workerid']}"
        return
    os.environ[MARK] = uuid4().hex
    config.stash[_GUARDIAN] = _guardian(os.environ[MARK])


def _guardian(mark: str) -> subprocess.Popen[bytes]:
    """Starts the program that outlives this process. It has no mark: it must not kill itself."""
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
    """Names and kills what is left. Runs after pytest-xdist has ended its workers."""
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
    """Tells what was left."""
    for line in config.stash.get(_LEFTOVERS, []):
        terminalreporter.write_line(f"outlived the tests: {line}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the guardian: the check of the run has looked for leftovers."""
    guardian = config.stash.get(_GUARDIAN, None)
    if guardian is not None:
        guardian.communicate(b"ended", timeout=60)
