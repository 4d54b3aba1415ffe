"""What the pytest plugins in tests/support promise, seen in runs of pytest over tests that hang or leave a process."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from support import processes
from support.processes import PATIENCE, Process, run
from support.runner.sizes import members
from support.worker_processes import eventually

TESTS = Path(__file__).parent.parent

BY_NUMBER = {"one": [], "two": ["-n2", "--dist=worksteal"]}
"""Options for the number of processes that run tests."""

CONFTEST = """
pytest_plugins = [f"support.runner.{name}" for name in ("sizes", "hanging_tests", "leftover_processes", "time_budgets")]
"""

HANGING = """
import time
from concurrent.futures import ThreadPoolExecutor
import pytest
from support.processes import Process

pytestmark = pytest.mark.timeout(0.5)

def test_waits_for_a_thread_that_waits_for_a_process():
    with Process(["sleep", "1000"]) as process, ThreadPoolExecutor(1) as pool:
        pool.submit(process.wait).result()

def test_waits_for_a_pipe():
    with Process(["sleep", "1000"]) as process:
        process.stdout.read()

@pytest.fixture
def never_ends():
    yield
    time.sleep(1000)

@pytest.mark.timeout(1)
def test_fails_and_then_its_fixture_hangs(never_ends):
    raise ZeroDivisionError

@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", range(20))
def test_good(number):
    pass
"""

OUT_OF_REACH = """
import signal, time
import pytest

@pytest.mark.timeout(1)
def test_out_of_reach():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(1000)

@pytest.mark.parametrize("number", range(20))
def test_good(number):
    pass
"""

SLOW_REPORTS = """
import signal
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.outcome == "failed":
        signal.raise_signal(signal.SIGALRM)
        report.sections.append(("a signal came while a report was made", ""))
    return report
"""

FEW_SIGNALS = """
from support.runner import hanging_tests
hanging_tests.LAST = 2
"""

SHORT_GRACE = """
from support.runner import leftover_processes
leftover_processes.GRACE = 0.3
"""

TALKATIVE = "echo one; echo two; sleep 1000"

LEAVING = """
import subprocess

def test_leaves_a_process():
    subprocess.Popen(["sh", "-c", "sleep 1000"], start_new_session=True)
"""

KILLED = """
import os, subprocess, time
from pathlib import Path

def test_takes_long():
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    new = Path(__file__).with_name("new")
    new.write_text(f"{child.pid} {os.getpid()}")
    new.rename(new.with_name("pids"))
    time.sleep(1000)
"""


def pytest_command(directory: Path, content: str, *options: str, settings: str = "") -> list[str]:
    """Runs a file of tests in a directory of its own. `settings` are more lines of its conftest."""
    (directory / "conftest.py").write_text(CONFTEST + settings)
    (directory / "test_inner.py").write_text(content)
    (directory / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\nfaulthandler_timeout = 0\n")
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(directory)]


def outcomes(printed: str) -> dict[str, int]:
    """How many tests had each outcome, by the last line that pytest prints."""
    last = printed.strip().splitlines()[-1]
    return {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|error)", last)}


@pytest.mark.parametrize("number", members(BY_NUMBER, short=["two"]))
def test_tests_that_hang_fail_alone(tmp_path: Path, number: str) -> None:
    printed = run(*pytest_command(tmp_path, HANGING, *BY_NUMBER[number])).stdout
    assert outcomes(printed) == {"failed": 3, "error": 1, "passed": 20}, printed
    assert "outlived the tests" not in printed


def test_a_signal_that_comes_while_a_report_is_made_does_no_harm(tmp_path: Path) -> None:
    printed = run(*pytest_command(tmp_path, HANGING, settings=SLOW_REPORTS)).stdout
    assert outcomes(printed) == {"failed": 3, "error": 1, "passed": 20}, printed
    assert printed.count("a signal came while a report was made") == 4


def test_a_test_that_no_signal_reaches_fails_alone(tmp_path: Path) -> None:
    printed = run(*pytest_command(tmp_path, OUT_OF_REACH, "-n2", "--dist=worksteal", settings=FEW_SIGNALS)).stdout
    assert outcomes(printed) == {"failed": 1, "passed": 20}, printed
    assert "crashed while running" in printed


def test_a_process_that_outlives_the_tests_is_named_and_killed_and_the_run_fails(tmp_path: Path) -> None:
    done = run(*pytest_command(tmp_path, LEAVING, "-n1", settings=SHORT_GRACE))
    assert done.returncode == 1
    (pid,) = re.findall(r"outlived the tests: process (\d+): sleep 1000", done.stdout)
    assert not is_running(int(pid))


@pytest.mark.parametrize("number", members(BY_NUMBER, short=["two"]))
def test_no_process_outlives_a_pytest_that_is_killed(tmp_path: Path, number: str) -> None:
    with Process(pytest_command(tmp_path, KILLED, *BY_NUMBER[number])) as process:
        pids = eventually(lambda: started(tmp_path), "started")
        assert all(map(is_running, pids))
        process.kill()
        eventually(lambda: not any(map(is_running, pids)), "ended")


def test_what_a_killed_process_of_xdist_leaves_is_named_and_killed_at_the_end_of_the_run(tmp_path: Path) -> None:
    command = pytest_command(tmp_path, KILLED, "-n1", "--max-worker-restart=0", settings=SHORT_GRACE)
    with Process(command) as process:
        child, worker = eventually(lambda: started(tmp_path), "started")
        os.kill(worker, signal.SIGKILL)
        printed, _ = process.communicate(timeout=PATIENCE)
        assert not is_running(child)
    assert outcomes(printed) == {"failed": 1}, printed
    assert f"outlived the tests: process {child}: sleep 1000" in printed


def started(directory: Path) -> list[int]:
    """The child of a test that takes long, and the process of pytest that runs the test. Empty before the test runs."""
    noted = directory / "pids"
    return [int(pid) for pid in noted.read_text().split()] if noted.exists() else []


def is_running(pid: int) -> bool:
    """Whether a process runs: one that has ended, but was not waited for, has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def test_lines_that_come_together_are_read_one_by_one_and_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 2.0)
    with Process(["sh", "-c", TALKATIVE]) as process:
        assert [process.next_line() for _ in range(3)] == ["one\n", "two\n", ""]
        assert process.wait(PATIENCE) == -signal.SIGKILL


def test_tests_start_their_processes_in_one_place() -> None:
    elsewhere = {
        str(file.relative_to(TESTS))
        for file in TESTS.rglob("*.py")
        if re.search(r"subprocess\.(run|Popen|call|check)", file.read_text()) and file != Path(__file__)
    }
    assert elsewhere == {
        "support/runner/leftover_processes.py",
        "support/processes.py",
        # Of these only campaigns start processes.
        "benchmarks/echoes/server.py",
        "benchmarks/machine.py",
        "benchmarks/profile_checks.py",
    }


def test_tests_that_have_a_size_are_marked() -> None:
    sized = [file for file in TESTS.rglob("test_*.py") if "size(short=" in file.read_text()]
    assert len(sized) > 5
    assert [file for file in sized if "pytest.mark.long" not in file.read_text()] == []
