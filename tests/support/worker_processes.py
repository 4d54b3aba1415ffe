"""Finds the workers of a server, and disturbs them."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess


def eventually(holds: Callable[[], Any], what: str) -> Any:
    """Repeats a function until its result is true, and returns the result."""
    end = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end, f"never {what}"
        time.sleep(0.01)
    return found


def log_with(server: ServerProcess, text: str) -> str:
    """Waits until a server's log has the text, and returns the log. A thread writes it, perhaps after an answer."""
    return str(eventually(lambda: log if text in (log := server.log.read_text()) else "", f"logged {text!r}"))


def worker_of(call: Any) -> str:
    """The worker that answered, from the trailing metadata."""
    return str(dict(call.trailing_metadata())["frostgate-worker"])


def checked(connection: Connection, request: Any) -> tuple[CheckOperationResponse, str]:
    """Makes a check. Returns the answer and the worker that answered."""
    answer, call = connection.decisions.CheckOperation.with_call(request, timeout=PATIENCE)
    return answer, worker_of(call)


@contextmanager
def connections_to_each(server: ServerProcess, count: int, request: Any) -> Iterator[dict[str, list[Connection]]]:
    """This number of connections to each of two workers. The system assigns them, so some extra ones are opened."""
    found: dict[str, list[Connection]] = {}
    with ExitStack() as opened:
        for _ in range(100 * count):
            connection = opened.enter_context(Connection(server.address))
            _, worker = checked(connection, request)
            found.setdefault(worker, []).append(connection)
            if len(found) == 2 and all(len(of_one) >= count for of_one in found.values()):
                yield {worker: of_one[:count] for worker, of_one in found.items()}
                return
        raise AssertionError(f"the workers {sorted(found)} are not two that are reached")


def serving_workers(server: ServerProcess) -> list[int]:
    """The ids of the processes that listen on the server's port, in ascending order."""
    port = int(server.address.rpartition(":")[2])
    listening = {
        line.split()[9]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if int(line.split()[1].rpartition(":")[2], 16) == port and line.split()[3] == "0A"
    }
    return [pid for pid in server.workers() if listening & _sockets(pid)]


def _sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", str(file.readlink()))
        except FileNotFoundError:
            continue
        if match:
            inodes.add(match[1])
    return inodes


def holds_lock(pid: int, file: Path) -> bool:
    """Whether the process holds the lock of a file now."""
    inode = str(file.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[4] == str(pid) and fields[5].endswith(f":{inode}"):
            return True
    return False


def stop_while_it_holds(pid: int, file: Path) -> None:
    """Stops a process while it holds the lock of a file."""
    for _ in range(10_000):
        os.kill(pid, signal.SIGSTOP)
        if is_stopped(pid) and holds_lock(pid, file):
            return
        os.kill(pid, signal.SIGCONT)
    raise AssertionError("the process never held the lock when it was looked at")


def is_stopped(pid: int) -> bool:
    """Waits for a process that was sent SIGSTOP. Returns whether it has stopped."""
    return bool(eventually(lambda: _state(pid) == "T", "stopped"))


def _state(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat[stat.rindex(")") + 2]
