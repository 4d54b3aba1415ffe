"""Starts all processes of tests, and ends them with their test.

A process has a mark in its environment, and its descendants inherit the mark, also in another session. At the end of
the `with` block all processes with the mark are killed. The marks of one run of pytest begin with the run's own mark:
see leftover_processes.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Timer
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Any

MARK = "TEST_RUN_OF_FROSTGATE"
"""The variable with the mark."""

PATIENCE = 60.0
"""The most seconds that any step may take. It is long, so that a loaded machine does not fail a test."""

_numbers = count(1)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without any FROSTGATE_ setting, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FROSTGATE_")}
    return {**kept, **more}


class Process(subprocess.Popen[str]):
    """A program that a test runs. The end of its `with` block kills it and all its descendants."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = subprocess.PIPE,
        stderr: int | IO[Any] | None = None,
        process_group: int | None = None,
    ) -> None:
        """Starts the program. It gets `variables`, but no FROSTGATE_ setting of this process."""
        self.mark = f"{os.environ.get(MARK, os.getpid())}/{next(_numbers)}"
        super().__init__(
            [str(word) for word in command],
            cwd=cwd,
            env=environment(**{**(variables or {}), MARK: self.mark}),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            process_group=process_group,
        )

    def next_line(self) -> str:
        """The next line of output. Empty if the process ends. A process without output for too long is killed."""
        assert self.stdout is not None
        with self._killed_if_late():
            return self.stdout.readline()

    def rest(self) -> str:
        """The rest of the output. A process that does not close its output in time is killed."""
        assert self.stdout is not None
        with self._killed_if_late():
            return self.stdout.read()

    def terminated(self) -> int:
        """Terminates the process, waits for its end and returns its exit status."""
        self.terminate()
        return self.wait(PATIENCE)

    def end(self) -> None:
        """Kills the process and all its descendants."""
        self.kill()
        kill_marked(f"{self.mark}\0")
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.wait(PATIENCE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @contextmanager
    def _killed_if_late(self) -> Iterator[None]:
        """Kills the process after a timeout. `select` cannot do this: it does not see lines that are buffered."""
        timer = Timer(PATIENCE, kill_marked, [f"{self.mark}\0"])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def run(
    *command: str | Path,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    stdin: str = "",
    stderr: int = subprocess.PIPE,
    timeout: float = 2 * PATIENCE,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end. Raises subprocess.TimeoutExpired. The caller checks the exit status."""
    with Process(command, cwd=cwd, variables=variables, stdin=subprocess.PIPE, stderr=stderr) as process:
        said, log = process.communicate(stdin, timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, said, log)


def output(
    *command: str | Path,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 2 * PATIENCE,
) -> str:
    """The stdout of a program. Its exit status must be 0."""
    done = run(*command, cwd=cwd, variables=variables, stdin=stdin, timeout=timeout)
    assert done.returncode == 0, f"{done.args}: {done.stdout}{done.stderr}"
    return done.stdout


def marked(beginning: str) -> dict[int, str]:
    """The ids and command lines of the processes whose mark begins with this text."""
    wanted = f"{MARK}={beginning}".encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            content = (process / "environ").read_bytes()
            if content.startswith(wanted) or b"\0" + wanted in content:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(process.name)] = command.strip()
    return found


def kill_marked(beginning: str) -> None:
    """Kills the processes whose mark begins with this text, and those that they start in the meantime."""
    end = monotonic() + PATIENCE
    while (pids := marked(beginning)) and monotonic() < end:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sleep(0.005)
