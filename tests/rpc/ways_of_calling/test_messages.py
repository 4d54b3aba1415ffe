"""Messages: compressed ones, none, two, the largest, and those that are too large."""

import gzip
from typing import Any

import grpc
import pytest
from support.calls import Calls, refusal
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, END_STREAM, HEADERS, RST_STREAM, RawConnection, frame, header_block, message
from support.server_process import Connection, ServerProcess
from support.ways import LARGEST_REQUEST, WAYS, code_of, padded, path_of, request, start

COMPRESSIONS = [grpc.Compression.Gzip, grpc.Compression.Deflate]
LARGE = ["batch"]
"""Ways whose requests may be as large as gRPC takes them."""

LARGEST_SINGLE = 64 * 1024


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("compression", COMPRESSIONS, ids=["gzip", "deflate"])
def test_compressed_requests_are_answered(server: ServerProcess, way: str, compression: grpc.Compression) -> None:
    for _ in range(3):
        assert code_of(start(server, way, compression=compression)) is grpc.StatusCode.OK


@pytest.mark.parametrize("way", ["check", "batch", "list", "rules"])
def test_a_compressed_request_has_the_answer_of_a_plain_one(server: ServerProcess, way: str) -> None:
    same = request(way)
    plain, compressed = start(server, way, same), start(server, way, same, compression=grpc.Compression.Gzip)
    assert plain.result() == compressed.result()


@pytest.mark.parametrize("way", WAYS)
def test_a_small_message_that_grows_beyond_the_limit_is_refused(server: ServerProcess, way: str) -> None:
    bomb = bytes(16 * 2**20)
    with Connection(server.address) as own:
        refused = start(own, way, bomb, compression=grpc.Compression.Gzip)
        assert code_of(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert code_of(start(server, way)) is grpc.StatusCode.OK


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("content", [b"no gzip", b"", gzip.compress(b"a" * 100)[:20]], ids=["no gzip", "empty", "cut"])
def test_what_is_no_compressed_message_harms_no_other_call(narrow: ServerProcess, way: str, content: bytes) -> None:
    with RawConnection(narrow.address, None) as connection:
        connection.socket.settimeout(PATIENCE)
        connection.begin()
        for stream in range(1, 20, 2):
            headers = frame(HEADERS, END_HEADERS, stream, header_block(path_of(way)))
            connection.send(headers, message(stream, content, compressed=True))
            wait_for_the_end(connection, stream)


def wait_for_the_end(connection: RawConnection, stream: int) -> None:
    """Until the server ends a stream. Raises TimeoutError if it does not."""
    for received in connection.frames():
        if received.stream == stream and (received.kind == RST_STREAM or received.flags & END_STREAM):
            return
    raise AssertionError("the server has ended the connection")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, *COMPRESSIONS], ids=["plain", "gzip", "deflate"]
)
def test_the_largest_message_is_taken_and_one_more_byte_is_refused_by_grpc(
    server: ServerProcess, way: str, compression: grpc.Compression
) -> None:
    largest = padded(request(way), LARGEST_REQUEST)
    assert len(largest) == LARGEST_REQUEST
    if way in LARGE:
        assert code_of(start(server, way, largest, compression=compression)) is grpc.StatusCode.OK
    else:
        refused = refusal(start(server, way, largest, compression=compression).result)
        assert refused.violations == {"request": f"must have at most {LARGEST_SINGLE} bytes but has {LARGEST_REQUEST}"}
    larger = start(server, way, padded(request(way), LARGEST_REQUEST + 1), compression=compression)
    assert code_of(larger) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [key for key, _ in larger.trailing_metadata()] == []


@pytest.mark.parametrize("way", [way for way in WAYS if way not in LARGE])
def test_the_largest_message_of_a_method_is_answered_and_one_more_byte_is_refused(
    server: ServerProcess, way: str
) -> None:
    for size in (1024, 1025, LARGEST_SINGLE - 1, LARGEST_SINGLE):
        assert code_of(start(server, way, padded(request(way), size))) is grpc.StatusCode.OK
    refused = refusal(start(server, way, padded(request(way), LARGEST_SINGLE + 1)).result)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT


def call_with(server: ServerProcess, way: str, messages: list[bytes]) -> bytes:
    """Makes a unary call with so many messages."""
    function: Any = server.channel.stream_unary(path_of(way))
    answer: bytes = function(iter(messages), timeout=PATIENCE)
    return answer


@pytest.mark.parametrize("way", WAYS)
def test_a_call_without_a_message_is_refused(narrow: ServerProcess, way: str) -> None:
    for _ in range(10):
        with pytest.raises(grpc.RpcError) as refused:
            call_with(narrow, way, [])
        error: Any = refused.value
        assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "exactly one message is required")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [2, 50])
def test_of_several_messages_the_first_is_answered(narrow: ServerProcess, way: str, count: int) -> None:
    for _ in range(10):
        call_with(narrow, way, [request(way), *[b"\xff\xff no message"] * (count - 1)])


def test_a_change_with_two_messages_is_made_once(server: ServerProcess, calls: Calls) -> None:
    before = calls.associate(customer_id="before").revision
    call_with(server, "change", [request("change"), request("change")])
    assert calls.associate(customer_id="after").revision == before + 2
