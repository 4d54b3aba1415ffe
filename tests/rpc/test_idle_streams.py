"""Streams of reflection and health that stay open take no threads: other calls are answered or refused at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from frostgate_server.rpc.loop.dispatch import MOST_REFLECTIONS, MOST_WATCHES
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.calls import Calls
from support.processes import PATIENCE, run
from support.server_process import Connection, ServerProcess
from support.statuses import error_info, status_of
from support.worker_processes import eventually

STREAMS_OF_A_CONNECTION = 100
"""A server takes 128 calls at once of a connection."""

LIST = ServerReflectionRequest(list_services="*")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with one worker."""
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "1") as server:
        yield server


@contextmanager
def connections(server: ServerProcess, streams: int) -> Iterator[list[Connection]]:
    """A connection for each of so many streams."""
    with ExitStack() as opened:
        several = [
            opened.enter_context(Connection(server.address)) for _ in range(-(-streams // STREAMS_OF_A_CONNECTION))
        ]
        yield [several[number // STREAMS_OF_A_CONNECTION] for number in range(streams)]


def first_of(stream: Any) -> str:
    """What becomes of a new stream: its first answer, or the reason of its refusal."""
    try:
        return "answered" if next(stream) else ""
    except grpc.RpcError as error:
        return str(error_info(status_of(error)[1]).reason)


@contextmanager
def idle_reflections(server: ServerProcess, count: int) -> Iterator[list[str]]:
    """Reflection streams on which nothing is said after the first answer. Gives what became of each."""
    over = Event()

    def requests() -> Iterator[ServerReflectionRequest]:
        yield LIST
        over.wait(PATIENCE)

    with connections(server, count) as each:
        streams = [
            connection.channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                ServerReflectionRequest.SerializeToString,
                ServerReflectionResponse.FromString,
            )(requests(), timeout=PATIENCE)
            for connection in each
        ]
        yield [first_of(stream) for stream in streams]
        over.set()
        for stream in streams:
            stream.cancel()


@pytest.mark.parametrize("count", [16, 200])
def test_grpcurl_is_answered_or_refused_beside_idle_reflection_streams(
    own_server: ServerProcess, tool: Callable[[str], str], count: int
) -> None:
    def list_services() -> tuple[int, str]:
        done = run(tool("grpcurl"), "-plaintext", own_server.address, "list")
        return done.returncode, done.stdout + done.stderr

    with idle_reflections(own_server, count) as outcomes:
        assert Counter(outcomes) == +Counter(
            answered=min(count, MOST_REFLECTIONS), OVERLOADED=max(0, count - MOST_REFLECTIONS)
        )
        status, printed = list_services()
        if count < MOST_REFLECTIONS:
            assert (status, printed.count("\n")) == (0, 5)
        else:
            assert status != 0
            assert "ResourceExhausted" in printed
        assert Calls(own_server).check(customer_id="a").message
    assert eventually(lambda: list_services()[0] == 0, "answered once the streams have ended")


def test_watches_of_health_are_limited_and_beside_them_all_else_is_answered(own_server: ServerProcess) -> None:
    with connections(own_server, MOST_WATCHES + 10) as each:
        stubs: list[Any] = [HealthStub(connection.channel) for connection in each]
        watches = [stub.Watch(HealthCheckRequest(), timeout=PATIENCE) for stub in stubs]
        outcomes = [first_of(watch) for watch in watches]
        assert Counter(outcomes) == Counter(answered=MOST_WATCHES, OVERLOADED=10)
        assert Calls(own_server).check(customer_id="a").message
        health: Any = HealthStub(own_server.channel)
        assert health.Check(HealthCheckRequest(), timeout=PATIENCE).status == HealthCheckResponse.SERVING
        own_server.process.terminate()
        told = [next(watch).status for watch, became in zip(watches, outcomes, strict=True) if became == "answered"]
        assert set(told) == {HealthCheckResponse.NOT_SERVING}
        assert own_server.process.wait(PATIENCE) == 0
