"""A killed supervisor takes its workers with it, so that the server can be started again at once."""

import os
import shlex
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import grpc
import pytest
from support.calls import Calls
from support.processes import PATIENCE, Process
from support.runner.sizes import members
from support.server_process import COMMAND, Connection, ServerProcess
from support.worker_lives import blocked, is_gone, unfreezing
from support.worker_processes import eventually, is_stopped

SIGNALS = {"killed": signal.SIGKILL, "hung up": signal.SIGHUP, "crashed": signal.SIGSEGV, "aborted": signal.SIGABRT}


def end_supervisor(server: ServerProcess, number: signal.Signals) -> None:
    server.process.send_signal(number)
    assert server.process.wait(PATIENCE) == -number


def assert_starts_again(server: ServerProcess, database: Path) -> None:
    """At once, with the same database and address."""
    with ServerProcess(database, "--listen", server.address) as again:
        assert Calls(again).new_customer()


@pytest.mark.parametrize("how", members(SIGNALS, short=["killed"]))
def test_a_server_starts_again_at_once_after_its_supervisor_ended(tmp_path: Path, how: str) -> None:
    number, database = SIGNALS[how], tmp_path / "frostgate.db"
    with ServerProcess(database, "--workers=2") as server:
        customer_id = Calls(server).new_customer()
        workers = server.workers()
        end_supervisor(server, number)
        with ServerProcess(database, "--listen", server.address) as again:
            assert Calls(again).get(customer_id).customer.customer_id == customer_id
        for pid in workers:
            eventually(partial(is_gone, pid), "ended")


def test_a_stopped_worker_ends_with_its_supervisor(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--workers=2") as server:
        for pid in server.workers():
            os.kill(pid, signal.SIGSTOP)
            assert is_stopped(pid)
        end_supervisor(server, signal.SIGKILL)
        assert_starts_again(server, database)


def test_a_worker_with_a_change_under_way_ends_with_its_supervisor(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database) as server:
        customer_id = Calls(server).new_customer()
        with blocked(server) as blocker:
            under_way = unfreezing(server, customer_id)
            assert Calls(server).check(customer_id=customer_id).message
            end_supervisor(server, signal.SIGKILL)
            assert under_way.exception().code() is grpc.StatusCode.UNAVAILABLE
            blocker.execute("ROLLBACK")
        assert_starts_again(server, database)


@pytest.mark.parametrize("listens", [True, False], ids=["while it serves", "while it starts"])
def test_no_worker_outlives_a_supervisor_on_a_unix_socket(tmp_path: Path, listens: bool) -> None:
    listen = f"unix:{tmp_path}/socket"
    command = [*COMMAND, "serve", "--listen", listen, "--create", "--database", str(tmp_path / "frostgate.db")]
    with Process(command) as process:
        if listens:
            assert "is ready" in process.next_line()
        else:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            eventually(children.read_text, "starting workers")
        workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        process.kill()
        process.wait(PATIENCE)
        with Process(command) as again:
            assert "is ready" in again.next_line()
        for pid in workers:
            eventually(partial(is_gone, pid), "ended")


@pytest.mark.parametrize("closed", members(["<&-", ">&-", "<&- >&-"], short=["<&- >&-"]))
def test_workers_end_with_a_supervisor_whose_streams_are_closed(tmp_path: Path, closed: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*COMMAND, "serve", "--listen", listen, "--database", str(tmp_path / "frostgate.db"), "--create"]
    command += ["--workers", "1"]
    shell = ["/bin/sh", "-c", f"exec {shlex.join(command)} 2>{tmp_path}/log {closed}"]
    for _ in range(2):
        with Process(shell) as process, Connection(listen) as connection:
            grpc.channel_ready_future(connection.channel).result(PATIENCE)
            assert Calls(connection).new_customer()
            process.kill()
            process.wait(PATIENCE)


ASK_FOR_THE_SIGNAL = """
import sys
from frostgate_server.process.system.parent_death import end_with_parent
sys.stdin.readline()
end_with_parent(int(sys.argv[1]))
print("lives on")
"""


@pytest.mark.parametrize("lives", [True, False])
def test_a_process_whose_parent_ended_before_it_asked_for_the_signal_ends_too(tmp_path: Path, lives: bool) -> None:
    pipe, said = tmp_path / "pipe", tmp_path / "said"
    os.mkfifo(pipe)
    child = shlex.join([sys.executable, "-c", ASK_FOR_THE_SIGNAL])
    script = f"{child} $$ < {pipe} > {said} 2>&1 & echo $!; {'wait' if lives else ''}"
    with Process(["/bin/sh", "-c", script]) as shell:
        pid = int(shell.next_line())
        if not lives:
            assert shell.wait(PATIENCE) == 0
        with pipe.open("w") as lets_go:
            lets_go.write("\n")
        eventually(partial(is_gone, pid), "ended")
    assert said.read_text() == ("lives on\n" if lives else "")
