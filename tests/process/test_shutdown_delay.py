"""Between SIGTERM and the drain the server says NOT_SERVING, and goes on answering, for the shutdown delay."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.calls import Calls
from support.processes import PATIENCE
from support.runner.sizes import members
from support.server_process import PATIENT_STORE, Connection, ServerProcess
from support.worker_lives import blocked, is_gone, unfreezing
from support.worker_processes import eventually, serving_workers

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def health_of(connection: Connection) -> Any:
    stub: Any = HealthStub(connection.channel)
    return stub.Check(HealthCheckRequest(), timeout=PATIENCE).status


def is_not_serving(connection: Connection) -> bool:
    return bool(health_of(connection) == NOT_SERVING)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that delays and drains for as long as a test needs."""
    flags = ["--shutdown-delay", "1h", "--drain-period", "1h"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
        yield server


def poll_until_refused(connections: list[Connection], seen: list[set[Any]]) -> None:
    """Every 50 ms, asks for health over each connection and then makes a check. Raises grpc.RpcError in the end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen.append({health_of(connection) for connection in connections})
        assert all(Calls(connection).check(customer_id="a").message for connection in connections)
        time.sleep(0.05)


@pytest.mark.parametrize("signalled", members(["the supervisor", "all processes"], short=["all processes"]))
def test_load_balancers_see_not_serving_while_checks_are_answered(tmp_path: Path, signalled: str) -> None:
    flags = ["--workers", "2", "--shutdown-delay", "2s"]
    with ServerProcess(tmp_path / "frostgate.db", *flags) as server, ExitStack() as opened:
        connections = [opened.enter_context(Connection(server.address)) for _ in range(8)]
        assert {health_of(connection) for connection in connections} == {SERVING}
        workers = serving_workers(server) if signalled == "all processes" else []
        began = time.monotonic()
        for pid in [*workers, server.process.pid]:
            os.kill(pid, signal.SIGTERM)
        seen: list[set[Any]] = []
        with pytest.raises(grpc.RpcError):
            poll_until_refused(connections, seen)
        refused = time.monotonic()
        assert server.process.wait(PATIENCE) == 0
        said = server.process.rest().splitlines()
    assert refused - began >= 2
    assert seen[-3:] == [{NOT_SERVING}] * 3
    assert said == [
        "frostgate-server is NOT_SERVING, and accepts calls for 2 s",
        "frostgate-server is draining",
        "frostgate-server has stopped",
    ]


def test_a_second_signal_skips_the_delay_and_calls_under_way_are_answered(patient: ServerProcess) -> None:
    customer_id = Calls(patient).new_customer()
    with blocked(patient) as blocker:
        under_way = unfreezing(patient, customer_id)
        patient.process.terminate()
        eventually(partial(is_not_serving, patient), "told")
        patient.process.terminate()
        assert "accepts calls" in patient.process.next_line()
        assert patient.process.next_line() == "frostgate-server is draining\n"
        assert not under_way.done()
        blocker.execute("ROLLBACK")
    assert under_way.result().message == "The account is unfrozen."
    assert patient.process.wait(PATIENCE) == 0


def test_a_third_signal_ends_the_process_at_once(patient: ServerProcess) -> None:
    customer_id = Calls(patient).new_customer()
    with blocked(patient):
        under_way = unfreezing(patient, customer_id)
        for line in ("accepts calls for 3600 s", "is draining"):
            patient.process.terminate()
            assert line in patient.process.next_line()
        patient.process.terminate()
        assert patient.process.wait(PATIENCE) == -signal.SIGTERM
        assert under_way.exception(PATIENCE).code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_without_workers_does_not_wait_for_the_delay(patient: ServerProcess) -> None:
    patient.process.terminate()
    eventually(partial(is_not_serving, patient), "told")
    for pid in patient.workers():
        os.kill(pid, signal.SIGKILL)
    assert patient.process.wait(PATIENCE) == 0


def test_a_worker_that_is_asked_by_itself_delays_its_drain_and_is_replaced_meanwhile(patient: ServerProcess) -> None:
    before = serving_workers(patient)
    victim = before[0]
    os.kill(victim, signal.SIGTERM)
    eventually(lambda: set(serving_workers(patient)) > set(before), "replaced, beside the one that leaves")
    os.kill(victim, signal.SIGTERM)
    eventually(partial(is_gone, victim), "drained")
    assert patient.process.poll() is None
