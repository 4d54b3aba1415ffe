"""A caller that does not read its stream is cut off, and meanwhile harms no other call."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
from frostgate_server.rpc.loop.stream_call import READ_TIMEOUT
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from h2.connection import H2Connection
from h2.events import Event, StreamEnded, StreamReset
from h2.settings import SettingCodes
from support.calls import Calls
from support.processes import PATIENCE
from support.server_process import Connection, ServerProcess

WATCH = "/grpc.health.v1.Health/Watch"

REQUESTS = {
    WATCH: HealthCheckRequest().SerializeToString(),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": ServerReflectionRequest(
        list_services="*"
    ).SerializeToString(),
}


class UnreadStreams:
    """Streams on one connection whose messages find no room: the window of each stays empty."""

    def __init__(self, opened: socket.socket, address: str, path: str, count: int) -> None:
        """Opens the streams and sends the request of each."""
        self._socket = opened
        self._connection = H2Connection()
        self._connection.initiate_connection()
        self._connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        headers = [
            *((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", address)),
            *(("te", "trailers"), ("content-type", "application/grpc")),
        ]
        self.open = {2 * number + 1 for number in range(count)}
        for number in self.open:
            self._connection.send_headers(number, headers)
            request = REQUESTS[path]
            message = b"\0" + len(request).to_bytes(4, "big") + request
            self._connection.send_data(number, message, end_stream=path == WATCH)
        self._socket.sendall(self._connection.data_to_send())

    def wait_for_ends(self) -> None:
        """Waits until the server has ended all the streams. Raises TimeoutError."""
        while self.open:
            received = self._socket.recv(65536)
            assert received, "the connection has ended"
            for event in self._connection.receive_data(received):
                self._take(event)
            self._socket.sendall(self._connection.data_to_send())

    def _take(self, event: Event) -> None:
        if isinstance(event, (StreamEnded, StreamReset)):
            self.open.discard(event.stream_id)


@contextmanager
def unread_streams(server: ServerProcess, path: str, count: int) -> Iterator[UnreadStreams]:
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as opened:
        yield UnreadStreams(opened, server.address, path, count)


@pytest.mark.parametrize("path", REQUESTS, ids=["health", "reflection"])
def test_streams_that_are_not_read_are_cut_off_and_other_calls_go_on(server: ServerProcess, path: str) -> None:
    with Connection(server.address) as watching, unread_streams(server, path, 50) as unread:
        start = monotonic()
        stub: Any = HealthStub(watching.channel)
        for _ in range(100):
            watch = stub.Watch(HealthCheckRequest(), timeout=PATIENCE)
            assert next(watch).status == HealthCheckResponse.SERVING
            watch.cancel()
            assert Calls(server).check(customer_id="a").message
        unread.wait_for_ends()
        assert monotonic() - start > READ_TIMEOUT / 2
        assert stub.Check(HealthCheckRequest(), timeout=PATIENCE).status == HealthCheckResponse.SERVING
