"""The file of the decision log: it is rotated by size, uses bounded disk space, and outlives a killed worker."""

import os
import signal
from pathlib import Path
from time import monotonic

import pytest
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest
from support.calls import Calls, check_of, outcome_of
from support.decision_log import records_of, records_with, rotated
from support.processes import PATIENCE
from support.runner.sizes import size
from support.server_process import TWO_WORKERS, ServerProcess, refused_start
from support.worker_processes import eventually, serving_workers

MIB = 1024**2
BATCH = BatchCheckOperationsRequest(checks=[check_of(customer_id="batch")] * 1000)
KILLS = size(short=2, long=20)


def log_batches(server: ServerProcess, batches: int) -> None:
    """Makes batches, one after the other, so that no record is lost."""
    for _ in range(batches):
        server.decisions.BatchCheckOperations(BATCH, timeout=PATIENCE)


def test_a_file_of_the_largest_size_is_rotated_and_no_record_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    flags = ["--decision-log", str(file), "--decision-log-max-size", "1MiB", "--decision-log-when-full", "block"]
    with ServerProcess(tmp_path / "f.db", *flags, TWO_WORKERS) as server:
        log_batches(server, 12)
        assert server.stop() == 0
    files = [*rotated(file), file]
    assert len(files) >= 3
    assert all(one.stat().st_size <= MIB for one in files if one.exists())
    assert len(records_of(*files)) == 12_000


def test_only_so_many_rotated_files_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    flags = ["--decision-log", str(file), "--decision-log-max-size", "1MiB", "--decision-log-keep", "2"]
    flags += ["--decision-log-when-full", "block"]
    with ServerProcess(tmp_path / "f.db", *flags) as server:
        log_batches(server, 16)
        Calls(server).check(customer_id="last")
        eventually(lambda: any(one["customer_id"] == "last" for one in records_of(file)), "the last record")
        assert [one.name for one in rotated(file)] == ["decisions.jsonl.2", "decisions.jsonl.1"]
        assert len(records_of(*rotated(file), file)) < 16_000


@pytest.mark.long
def test_a_killed_worker_loses_at_most_the_records_of_the_last_200_ms(tmp_path: Path) -> None:
    """A loaded machine may run the writing thread late, so one of several kills is enough."""
    file = tmp_path / "decisions.jsonl"
    with ServerProcess(tmp_path / "f.db", "--decision-log", str(file)) as server:
        found = [lost_by_a_kill(server, file, kill) for kill in range(KILLS)]
    assert min(found) == 0


def lost_by_a_kill(server: ServerProcess, file: Path, kill: int) -> int:
    """Kills the worker during checks. Returns the number of answers that came 200 ms earlier and have no record."""
    answered: dict[str, float] = {}
    (victim,) = eventually(lambda: serving_workers(server), "a worker serves")
    end = monotonic() + 0.5
    while monotonic() < end or not answered:
        customer_id = f"{kill}-{len(answered)}"
        if outcome_of(server.decisions.CheckOperation.future(check_of(customer_id=customer_id))) == "OK":
            answered[customer_id] = monotonic()
    killed = monotonic()
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: serving_workers(server) not in ([], [victim]), "replaced")
    Calls(server).check(customer_id=f"{kill}-last")
    eventually(lambda: f'"{kill}-last"' in file.read_text(), "the next record")
    recorded = {record["customer_id"] for record in records_of(file)}
    return sum(moment < killed - 0.2 and customer_id not in recorded for customer_id, moment in answered.items())


def test_a_file_that_an_operator_moves_is_created_again(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    with ServerProcess(tmp_path / "f.db", "--decision-log", str(file)) as server:
        Calls(server).check(customer_id="first")
        records_with(file, 1)
        file.rename(tmp_path / "moved")
        Calls(server).check(customer_id="second")
        eventually(file.exists, "created again")
        assert [record["customer_id"] for record in records_with(file, 1)] == ["second"]


def test_a_server_does_not_start_if_the_log_cannot_be_written(tmp_path: Path) -> None:
    database = ["--database", str(tmp_path / "f.db"), "--create", "--listen", "127.0.0.1:0"]
    os.mkfifo(tmp_path / "pipe")
    for name, problem in (
        ("pipe", "decision_log must name a file, or - for stdout, but "),
        ("none/log", f"decision_log: {tmp_path}/none/log cannot be created: its directory does not exist"),
    ):
        flags = [*database, "--decision-log", str(tmp_path / name)]
        assert refused_start("serve", *flags).startswith(problem)
        assert refused_start("serve", "--check-config", *flags).startswith(problem)
