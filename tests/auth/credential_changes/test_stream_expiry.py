"""Open streams end when their token, certificate, role or key is no longer valid, and when the server drains."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import repeat
from time import time
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from support.access import Access, every_role
from support.credentials import jwks, signing_key
from support.every_call import ADMITTED, is_admitted, outcome
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually


@pytest.fixture(scope="module")
def lasting_access(tmp_path_factory: pytest.TempPathFactory) -> Access:
    """Keys, certificates and callers that are not replaced."""
    return Access(tmp_path_factory.mktemp("lasting"))


@pytest.fixture(scope="module")
def lasting_server(lasting_access: Access) -> Iterator[ServerProcess]:
    """A server with one worker, which the tests share that replace nothing."""
    with lasting_access.server("--workers", "1") as server:
        yield server


class Stream:
    """A reflection stream on which nothing is said after its first answer."""

    def __init__(self, connection: Connection, metadata: Any = None) -> None:
        self._done = threading.Event()

        def requests() -> Iterator[ServerReflectionRequest]:
            yield ServerReflectionRequest(list_services="*")
            self._done.wait(PATIENCE)

        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        reflect = connection.channel.stream_stream(
            path, ServerReflectionRequest.SerializeToString, ServerReflectionResponse.FromString
        )
        self.answers: Any = reflect(requests(), metadata=metadata)
        assert next(self.answers).WhichOneof("message_response") == "list_services_response"

    def end(self) -> grpc.StatusCode:
        """Waits for it, and gives its code."""
        with pytest.raises(grpc.RpcError) as ended:
            next(self.answers)
        self._done.set()
        code: grpc.StatusCode = ended.value.code()
        return code


def test_streams_end_with_their_token_and_give_their_threads_back(
    lasting_access: Access, lasting_server: ServerProcess
) -> None:
    access, server = lasting_access, lasting_server
    begun = time()
    # The leeway is 30 s.
    streams = [Stream(server, access.token("auditor", exp=int(time()) - 22)) for _ in range(16)]
    assert {stream.end() for stream in streams} == {grpc.StatusCode.UNAUTHENTICATED}
    assert time() - begun > 5
    assert outcome(server, "ServerReflectionInfo", access.token("auditor")) == ADMITTED


def test_unread_streams_are_cut_and_give_their_threads_back(
    lasting_access: Access, lasting_server: ServerProcess
) -> None:
    access, server = lasting_access, lasting_server
    path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    with Connection(server.address, access.authority.channel()) as reader_of_nothing:
        reflect = reader_of_nothing.channel.stream_stream(
            path, ServerReflectionRequest.SerializeToString, ServerReflectionResponse.FromString
        )
        ask = ServerReflectionRequest(file_containing_symbol="frostgate.v1.CustomerFreezeService")
        metadata = access.token("auditor", exp=int(time()) - 22)
        _streams = [reflect(repeat(ask, 10_000), metadata=metadata) for _ in range(16)]

        def is_answered() -> bool:
            return outcome(server, "ServerReflectionInfo", access.token("auditor")) == ADMITTED

        eventually(is_answered, "answered")


def test_streams_and_calls_end_with_their_certificate(lasting_access: Access, lasting_server: ServerProcess) -> None:
    access, server = lasting_access, lasting_server
    names = {"uris": ["spiffe://test/auditor"], "expires_in": timedelta(seconds=5)}
    with access.by_certificate(server, **names) as auditor:
        stream = Stream(auditor)
        health: Any = HealthStub(auditor.channel)
        watch = health.Watch(HealthCheckRequest())
        assert next(watch).status == HealthCheckResponse.SERVING
        assert is_admitted(auditor)
        assert stream.end() is grpc.StatusCode.UNAUTHENTICATED
        assert outcome(auditor, "ListRules") == "UNAUTHENTICATED"
        assert watch.is_active()


def test_streams_end_with_their_role_and_with_their_key(access: Access, server: ServerProcess) -> None:
    with access.by_certificate(server, uris=["spiffe://test/auditor"]) as auditor:
        by_role, by_key = Stream(auditor), Stream(server, access.token("operator"))
        callers = every_role()
        del callers["spiffe://test/auditor"]
        access.write_callers(callers)
        assert by_role.end() is grpc.StatusCode.PERMISSION_DENIED
        assert by_key.answers.is_active()
        (access.directory / "jwks.json").write_bytes(jwks(one=signing_key("two")))
        assert by_key.end() is grpc.StatusCode.UNAUTHENTICATED


def test_a_server_drains_with_open_streams(access: Access) -> None:
    with access.server("--workers", "1", "--drain-period", "100ms") as server:
        stream = Stream(server, access.token("operator"))
        assert server.stop() == 0
        assert stream.end() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
