"""The plain way back, --call-dispatch grpcio: it is warned of, and serves health, reflection and a drain too."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.calls import Calls, check_of
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.worker_processes import checked, log_with

WARNING = "call_dispatch = grpcio: there is no protection against overload and slow readers"


FLAGS = ["--workers", "1", "--call-dispatch", "grpcio", "--drain-period", "1s"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one worker, by grpcio's own dispatch."""
    with ServerProcess(tmp_path_factory.mktemp("plain") / "frostgate.db", *FLAGS) as server:
        yield server


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server as `plain`, for the test that ends it."""
    with ServerProcess(tmp_path / "frostgate.db", *FLAGS) as server:
        yield server


def list_services(server: ServerProcess, version: str, requests: Iterator[ServerReflectionRequest]) -> Any:
    return server.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )(requests, timeout=PATIENCE)


def test_a_server_warns_of_it_at_the_start_and_answers(plain: ServerProcess) -> None:
    assert log_with(plain, WARNING).count(WARNING) == 1
    assert Calls(plain).new_customer()
    answer, worker = checked(plain, check_of(customer_id="a"))
    assert (answer.revision, worker) == (1, "1")


def test_the_loop_is_the_default_and_not_warned_of(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "1") as server:
        assert Calls(server).check(customer_id="a").message
        assert server.stop() == 0
        assert server.log.read_text() == ""


def test_health_is_told_and_unknown_services_are_not_found(plain: ServerProcess) -> None:
    stub: Any = HealthStub(plain.channel)
    for service in ("", "frostgate.v1.PolicyDecisionService", "frostgate.v1.CustomerFreezeService"):
        request = HealthCheckRequest(service=service)
        assert stub.Check(request, timeout=PATIENCE).status == HealthCheckResponse.SERVING
        watch = stub.Watch(request, timeout=PATIENCE)
        assert next(watch).status == HealthCheckResponse.SERVING
        watch.cancel()
    unknown = HealthCheckRequest(service="unknown")
    with pytest.raises(grpc.RpcError) as refused:
        stub.Check(unknown, timeout=PATIENCE)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(unknown, timeout=PATIENCE)
    assert next(watch).status == HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_the_services(plain: ServerProcess, version: str) -> None:
    answers = list_services(plain, version, iter([ServerReflectionRequest(list_services="*")] * 2))
    names = [[service.name for service in answer.list_services_response.service] for answer in answers]
    assert len(names) == 2
    assert names[0] == names[1]
    assert {"frostgate.v1.PolicyDecisionService", "frostgate.v1.CustomerFreezeService"} < set(names[0])


def test_a_drain_says_not_serving_and_ends_the_streams(ended: ServerProcess) -> None:
    over = Event()

    def requests() -> Iterator[ServerReflectionRequest]:
        yield ServerReflectionRequest(list_services="*")
        over.wait(PATIENCE)

    stub: Any = HealthStub(ended.channel)
    watch = stub.Watch(HealthCheckRequest(), timeout=PATIENCE)
    assert next(watch).status == HealthCheckResponse.SERVING
    reflection = list_services(ended, "v1", requests())
    assert next(reflection)
    ended.process.terminate()
    assert [answer.status for answer in watch] == [HealthCheckResponse.NOT_SERVING]
    assert ended.process.wait(PATIENCE) == 0
    with pytest.raises(grpc.RpcError):
        next(reflection)
    over.set()
