"""SIGTERM and SIGINT: calls under way are answered, new ones are refused, and the server ends."""

import fcntl
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import UnfreezeCustomerRequest
from frostgate_server.storage.sqlite import connections, group_commit
from frostgate_server.storage.sqlite.driver import sqlite3
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.calls import ACCOUNT, Calls, refusal
from support.processes import PATIENCE, Process
from support.runner.sizes import members
from support.server_process import COMMAND, PATIENT_STORE, Connection, ServerProcess
from support.worker_in_process import worker_in_process
from support.worker_processes import eventually


def watch_health(connection: Connection) -> Any:
    stub: Any = HealthStub(connection.channel)
    return stub.Watch(HealthCheckRequest(), timeout=PATIENCE)


@pytest.mark.parametrize("number", members([signal.SIGTERM, signal.SIGINT], short=[signal.SIGTERM]))
def test_a_signal_drains_calls_under_way_are_answered_new_ones_are_not(tmp_path: Path, number: signal.Signals) -> None:
    database = tmp_path / "frostgate.db"
    flags = ["--drain-period", "1h"]
    with ServerProcess(database, *flags, variables=PATIENT_STORE) as server, Connection(server.address) as watching:
        customer_id = Calls(server).new_customer()
        health = watch_health(watching)
        assert next(health).status == HealthCheckResponse.SERVING
        blocker = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(Calls(server).unfreeze, customer_id=customer_id)
            wait_until_a_change_is_under_way(database)
            server.process.send_signal(number)
            assert next(health).status == HealthCheckResponse.NOT_SERVING
            wait_until_new_calls_are_refused(server)
            blocker.execute("ROLLBACK")
            blocker.close()
            assert under_way.result().customer.customer_id == customer_id
        health.cancel()
        assert server.process.wait(PATIENCE) == 0
        assert server.process.rest() == "frostgate-server is draining\nfrostgate-server has stopped\n"


def wait_until_new_calls_are_refused(server: ServerProcess) -> None:
    """A drain says that it begins a moment before it refuses."""
    for _ in range(1000):
        with Connection(server.address) as late:
            try:
                Calls(late).check(customer_id="a")
            except grpc.RpcError:
                return
    raise AssertionError("new calls are still answered")


def wait_until_a_change_is_under_way(database: Path) -> None:
    """A change under way holds the lock of the head file."""
    with database.with_name(database.name + "-head").open("rb") as head_file:

        def is_locked() -> bool:
            try:
                fcntl.flock(head_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(head_file, fcntl.LOCK_UN)
            return False

        eventually(is_locked, "under way")


def test_a_server_that_nobody_reads_drains_all_the_same(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db") as server:
        server.output.close()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert server.log.read_text() == ""


def test_calls_still_under_way_at_the_end_of_the_drain_period_are_ended(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with ServerProcess(database, "--drain-period", "200ms") as server:
        reflect = server.channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
        done = Event()

        def requests() -> Any:
            yield ServerReflectionRequest(list_services="*")
            done.wait(PATIENCE)

        answers: Any = reflect(requests())
        assert next(answers).WhichOneof("message_response") == "list_services_response"
        assert server.stop() == 0
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        done.set()
    error: Any = ended.value
    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("version", members(["v1", "v1alpha"], short=["v1"]))
def test_malformed_reflection_requests_do_not_keep_a_server_from_draining(tmp_path: Path, version: str) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--drain-period", "1s") as server:
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        reflect: Any = server.channel.stream_stream(method)
        for _ in range(12):
            answer = ServerReflectionResponse.FromString(next(reflect(iter([b"\xff\xff"]), timeout=PATIENCE)))
            assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert server.log.read_text() == ""


def test_a_server_that_is_told_to_stop_while_it_starts_does_not_say_that_it_is_ready(tmp_path: Path) -> None:
    for after in (0.0, 0.1, 0.2, 0.3, 0.4):
        command = [*COMMAND, "serve", "--listen", "127.0.0.1:0", "--database", f"{tmp_path}/f.db", "--create"]
        command += ["--workers", "1"]
        with Process(command, stderr=subprocess.PIPE) as process:
            time.sleep(after)  # whichever moment this is: nothing tells how far a start has come
            process.terminate()
            said, log = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said.splitlines()[:1], log) in [
            (-signal.SIGTERM, [], ""),
            (0, ["frostgate-server is draining"], ""),
        ] or "is ready on" in said


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--drain-period", "1h") as server:
        health = watch_health(server)
        assert next(health).status == HealthCheckResponse.SERVING
        server.process.terminate()
        assert next(health).status == HealthCheckResponse.NOT_SERVING
        server.process.terminate()
        assert server.process.wait(PATIENCE) == -signal.SIGTERM
        health.cancel()


def test_a_change_whose_caller_gave_up_while_it_waited_is_not_made(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with worker_in_process(database) as (address, _), Connection(address) as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        revision = calls.get(customer_id).customer.revision
        blocker = sqlite3.connect(database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        request = UnfreezeCustomerRequest(customer_id=customer_id, scope=ACCOUNT, reason="paid")
        with pytest.raises(grpc.RpcError) as given_up:
            server.freezes.UnfreezeCustomer(request, timeout=0.3)
        blocker.execute("ROLLBACK")
        blocker.close()
        assert calls.associate(customer_id="after").revision == revision + 1
        assert calls.get(customer_id).customer.revision == revision
    error: Any = given_up.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_store_that_stays_busy_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "WRITE_TIMEOUT", 1.0)
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 1.0)
    database = tmp_path / "frostgate.db"
    with worker_in_process(database) as (address, _), Connection(address) as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        blocker = sqlite3.connect(database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        refused = refusal(lambda: calls.unfreeze(customer_id=customer_id))
        assert calls.check(customer_id=customer_id).message
        blocker.execute("ROLLBACK")
        blocker.close()
        assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")
        assert calls.unfreeze(customer_id=customer_id).message == "The account is unfrozen."
