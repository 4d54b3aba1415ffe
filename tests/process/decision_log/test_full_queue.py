"""A decision log whose reader stalls: records are lost and counted, or checks wait and fail. Other calls go on."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest
from frostgate_server.observability.record_queue import MOST_BYTES
from grpc_health.v1.health_pb2 import HealthCheckResponse
from support.calls import Calls, check_of, outcome_of, refusal
from support.health_of_services import CHECKS, health_of
from support.processes import PATIENCE
from support.server_process import Connection
from support.slow_reader import PipedServer, piped_server
from support.worker_processes import eventually, worker_of

BATCH = BatchCheckOperationsRequest(checks=[check_of(customer_id="batch")] * 1000)
RECORD_BYTES = 250
"""A record of this batch has more bytes."""
ENOUGH = MOST_BYTES // (1000 * RECORD_BYTES) + 2
"""With the records of this number of batches, the queue is full."""


def fill(server: PipedServer) -> int:
    """Makes batches until the queue is full. Returns the number of those that were answered."""
    futures = [server.decisions.BatchCheckOperations.future(BATCH, timeout=PATIENCE) for _ in range(ENOUGH)]
    return [outcome_of(future) for future in futures].count("OK")


def reason_of(call: Callable[[], Any]) -> str:
    try:
        call()
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


@pytest.mark.parametrize("dispatch", ["loop", "grpcio"])
def test_drop_loses_records_counts_them_and_tells_in_both_logs(tmp_path: Path, dispatch: str) -> None:
    with piped_server(tmp_path, "--workers", "1", "--call-dispatch", dispatch) as server:
        assert fill(server) == ENOUGH
        checks = 10
        for _ in range(checks):
            assert Calls(server).check(customer_id="single").message
        eventually(lambda: "were lost" in server.log.read_text(), "a line in the log")
        server.read()
        server.wait_for("lost_records")
        found = server.stop()
    lost = sum(record["lost_records"] for record in found if "lost_records" in record)
    records = [record for record in found if "customer_id" in record]
    assert lost > checks
    assert len(records) + lost == ENOUGH * 1000 + checks
    told = re.findall(r"WARNING worker 1: \S+: (\d+) records of the decision log were lost", server.log.read_text())
    assert sum(map(int, told)) == lost


@pytest.mark.parametrize("dispatch", ["loop", "grpcio"])
def test_block_sends_no_answer_without_its_record(tmp_path: Path, dispatch: str) -> None:
    flags = ["--workers", "1", "--decision-log-when-full", "block", "--call-dispatch", dispatch]
    with piped_server(tmp_path, *flags) as server:
        batches = fill(server)
        assert 0 < batches < ENOUGH
        calls = Calls(server)
        answered = 0
        start = monotonic()
        # The batch that did not fit may have left room for some checks.
        while reason_of(lambda: calls.check(customer_id="single")) == "OK":
            answered, start = answered + 1, monotonic()
        assert monotonic() - start >= 0.9
        check = check_of(customer_id="refused")
        futures = [server.decisions.CheckOperation.future(check, timeout=PATIENCE) for _ in range(6)]
        assert health_of(server, CHECKS) == HealthCheckResponse.SERVING
        customer_id = calls.new_customer()
        assert calls.get(customer_id).customer.customer_id == customer_id
        assert {outcome_of(future) for future in futures} == {"OVERLOADED"}
        with pytest.raises(grpc.RpcError):
            server.decisions.CheckOperation(check_of(customer_id="late"), timeout=0.3)
        server.read()
        eventually(lambda: reason_of(lambda: calls.check(customer_id="later")) == "OK", "room in the queue")
        server.wait_for("later")
        found = server.stop()
    assert "were lost" not in server.log.read_text()
    names = [record["customer_id"] for record in found]
    assert names.count("batch") == batches * 1000
    assert names.count("single") == answered
    assert names.count("later") == 1
    assert "refused" not in names
    assert "late" not in names


def test_checks_that_wait_are_answered_when_there_is_room(tmp_path: Path) -> None:
    with piped_server(tmp_path, "--workers", "1", "--decision-log-when-full", "block") as server:
        fill(server)
        checks = [check_of(customer_id=f"waits-{number}") for number in range(500)]
        futures = [server.decisions.CheckOperation.future(check, timeout=PATIENCE) for check in checks]
        server.read()
        outcomes = [outcome_of(future) for future in futures]
        assert set(outcomes) <= {"OK", "OVERLOADED"}
        assert outcomes.count("OK") > 0
        Calls(server).check(customer_id="last")
        server.wait_for("last")
        names = [record["customer_id"] for record in server.stop()]
    for check, outcome in zip(checks, outcomes, strict=True):
        assert names.count(check.customer_id) == (outcome == "OK")


def test_lines_of_two_workers_and_of_the_supervisor_do_not_mix_in_a_pipe(tmp_path: Path) -> None:
    checks = [check_of(customer_id=str(number), resource_id="\x01" * 256) for number in range(2000)]
    with piped_server(tmp_path, "--workers", "2") as server, ExitStack() as opened:
        server.read()
        callers = [opened.enter_context(Connection(server.address)).decisions for _ in range(20)]
        futures = [
            callers[number % 20].CheckOperation.future(check, timeout=PATIENCE) for number, check in enumerate(checks)
        ]
        assert {outcome_of(future) for future in futures} == {"OK"}
        assert {worker_of(future) for future in futures} == {"1", "2"}
        found = server.stop()
    assert sorted(int(record["customer_id"]) for record in found) == list(range(2000))


def test_a_refused_check_says_that_it_can_be_repeated(tmp_path: Path) -> None:
    with piped_server(tmp_path, "--workers", "1", "--decision-log-when-full", "block") as server:
        fill(server)
        refused = refusal(lambda: [Calls(server).check(customer_id="a") for _ in range(ENOUGH * 1000)])
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
