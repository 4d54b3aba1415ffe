"""Calls with unusual metadata are answered as others are, and those with too much are refused by gRPC itself."""

import grpc
import pytest
from support.processes import PATIENCE
from support.raw_http2 import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    RST_STREAM,
    RawConnection,
    frame,
    header_block,
    message,
)
from support.server_process import Connection, ServerProcess
from support.ways import WAYS, code_of, path_of, request, start

UNUSUAL = {
    "bytes of all kinds": [("trace-bin", bytes(range(256)))],
    "empty binary": [("trace-bin", b"")],
    "one key many times": [("again", str(number)) for number in range(50)],
    "an empty value": [("nothing", "")],
    "punctuation": [("x-a.b_c-d", "~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./ ")],
    "nearly as much as goes": [("long", "a" * 12_000)],
    "a token that nobody asked for": [("authorization", "Bearer a.b.c")],
    "two of them": [("authorization", "Bearer a.b.c"), ("authorization", "Basic ?")],
    "the name of the answer's trailer": [("frostgate-worker", "99")],
    "details of its own": [("grpc-status-details-bin", b"\xff\xff")],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metadata", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_metadata_change_nothing(
    server: ServerProcess, way: str, metadata: list[tuple[str, str | bytes]]
) -> None:
    future = start(server, way, metadata=metadata)
    assert code_of(future) is grpc.StatusCode.OK
    assert [key for key, _ in future.trailing_metadata()] == ["frostgate-worker"]


@pytest.mark.parametrize("way", WAYS)
def test_too_much_metadata_are_refused_by_grpc(server: ServerProcess, way: str) -> None:
    with Connection(server.address) as own:
        assert code_of(start(own, way, metadata=[("long", "a" * 40_000)])) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert code_of(start(server, way)) is grpc.StatusCode.OK


LARGEST_WINDOW = 2**31 - 1
"""Bytes: the answer to a batch is sent at once."""

MALFORMED = {
    "no Base64": ("trace-bin", "!!! no Base64 !!!"),
    "half a group of Base64": ("trace-bin", "abcde"),
    "letters beyond ASCII": ("x-name", "Zoë"),
    "a control character": ("x-name", "a\x01b"),
    "a deadline that is none": ("grpc-timeout", "soon"),
    "a negative deadline": ("grpc-timeout", "-5S"),
    "a deadline beyond all times": ("grpc-timeout", "99999999H"),
    "a key in capitals": ("X-Name", "a"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_metadata_that_no_library_sends_harm_no_other_call(
    server: ServerProcess, way: str, header: tuple[str, str]
) -> None:
    with RawConnection(server.address, None) as connection:
        connection.socket.settimeout(PATIENCE)
        connection.begin({INITIAL_WINDOW_SIZE: LARGEST_WINDOW})
        headers = frame(HEADERS, END_HEADERS, 1, header_block(path_of(way), [header]))
        connection.send(headers, message(1, request(way)))
        wait_for_the_end(connection)
    assert code_of(start(server, way)) is grpc.StatusCode.OK


def wait_for_the_end(connection: RawConnection) -> None:
    """Until the server ends the one stream, or the connection. Raises TimeoutError if it does not."""
    for received in connection.frames():
        if received.stream == 1 and (received.kind == RST_STREAM or received.flags & END_STREAM):
            return
