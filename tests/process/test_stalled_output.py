"""A reader of stderr or stdout that does not read stops nothing: lines are lost, counted and told."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from frostgate.v1.partner_pb2 import VerificationAction
from support.calls import Calls, check_of, new_id
from support.pipes import Pipe
from support.processes import PATIENCE, Process, run
from support.runner.sizes import members
from support.server_process import COMMAND, Connection, ServerProcess
from support.worker_lives import both_serve, is_gone
from support.worker_processes import connections_to_each, eventually, serving_workers

LOG = "import logging, sys; from frostgate_server.observability.logging_setup import log_to_stderr; "


@pytest.fixture
def stalled() -> Iterator[Pipe]:
    """A full pipe."""
    with Pipe() as pipe:
        pipe.fill()
        yield pipe


def call_all(calls: Calls) -> None:
    """A check, changes, and a mail that is logged."""
    partner_id = new_id()
    calls.check(customer_id=calls.new_customer("NORMAL"))
    calls.update_partner(partner_id, verification_code_enabled=True, verification_contact="a@b.example")
    assert calls.send_code(partner_id, VerificationAction.VERIFICATION_ACTION_UPDATE_PARTNER).sent_to


@pytest.mark.parametrize("level", members(["info", "debug"], short=["debug"]))
def test_with_a_stalled_stderr_calls_replacement_and_drain_go_on(tmp_path: Path, stalled: Pipe, level: str) -> None:
    flags = ["--workers", "2", "--log-level", level, "--mail-server", "log"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, stderr=stalled.write_end) as server:
        with connections_to_each(server, 1, check_of(customer_id="a")) as found:
            for (connection,) in found.values():
                call_all(Calls(connection))
        victim = serving_workers(server)[0]
        os.kill(victim, signal.SIGKILL)
        eventually(partial(both_serve, server, victim), "replaced")
        assert Calls(server).new_customer()
        victim = serving_workers(server)[0]
        os.kill(victim, signal.SIGTERM)
        eventually(partial(is_gone, victim), "drained")
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_lost_lines_are_told_once_stderr_is_read_again(tmp_path: Path, stalled: Pipe) -> None:
    flags = ["--workers", "1", "--log-level", "debug"]
    check = check_of(customer_id="a", resource_id="r" * 256)
    with ServerProcess(tmp_path / "frostgate.db", *flags, stderr=stalled.write_end) as server:
        for _ in range(40):
            calls = [server.decisions.CheckOperation.future(check, timeout=PATIENCE) for _ in range(100)]
            assert all(call.result().message for call in calls)
        stalled.empty()
        lines = []
        while " lost " not in (line := stalled.read_lines(1)[0]):
            lines.append(line)
    assert all("check of customer_id" in line for line in lines)
    match = re.search(r"WARNING worker 1: \S+: lost (\d+) log lines?: the reader of stderr was too slow", line)
    assert match, line
    assert len(lines) + int(match[1]) == 4000


def in_the_place_of(children: Path, gone: set[str]) -> bool:
    """Whether a process has other children now."""
    now = set(children.read_text().split())
    return bool(now) and not now & gone


def test_with_stdout_and_stderr_in_one_stalled_pipe_workers_are_replaced_and_drained(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--listen", "127.0.0.1:0", "--database", f"{tmp_path}/f.db", "--create"]
    command += ["--head-export", "-", "--head-export-period", "1s", "--workers", "1"]
    with Pipe() as pipe, Process(command, stdout=pipe.write_end, stderr=pipe.write_end) as process:
        ready = re.search(r"is ready on (\S+):", pipe.read_lines(1)[0])
        assert ready
        pipe.fill()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        victims = set(children.read_text().split())
        for pid in victims:
            os.kill(int(pid), signal.SIGKILL)
        eventually(lambda: in_the_place_of(children, victims), "replaced")
        with Connection(ready[1]) as connection:
            grpc.channel_ready_future(connection.channel).result(PATIENCE)
            assert Calls(connection).new_customer()
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_a_process_that_logs_and_ends_with_a_stalled_stderr_ends_as_it_should(stalled: Pipe) -> None:
    for last, status in (("", 0), ("raise ValueError", 1), ("sys.exit('said')", 1), ("print('x', file=sys.stderr)", 0)):
        program = LOG + f"log_to_stderr('info', 'test'); logging.warning('w'); {last}"
        with Process([sys.executable, "-c", program], stderr=stalled.write_end) as process:
            assert process.wait(PATIENCE) == status


def test_the_log_knows_how_many_lines_it_lost(stalled: Pipe) -> None:
    program = LOG + "log = log_to_stderr('info', 'test'); [logging.info('x' * 600_000) for _ in range(3)]"
    with Process([sys.executable, "-c", f"{program}; print(log.lost_lines)"], stderr=stalled.write_end) as process:
        assert process.next_line() == "2\n"


def test_waiting_lines_are_written_at_the_end() -> None:
    program = LOG + "log_to_stderr('info', 'test'); [logging.info('line %d', number) for number in range(5000)]"
    said = run(sys.executable, "-c", program)
    assert said.returncode == 0
    assert [int(line.rpartition(" ")[2]) for line in said.stderr.splitlines()] == list(range(5000))


def test_what_is_written_to_stderr_without_the_log_comes_in_order_with_it() -> None:
    program = LOG + "log_to_stderr('info', 'test'); logging.info('first'); print('second', file=sys.stderr); 1 / 0"
    said = run(sys.executable, "-c", program)
    first, second, *trace = said.stderr.splitlines()
    assert re.fullmatch(r"\S+ \S+ INFO test: root: first", first)
    assert second == "second"
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ZeroDivisionError: division by zero")
