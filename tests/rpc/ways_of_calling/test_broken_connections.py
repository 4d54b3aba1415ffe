"""Connections that break or say nothing more: no call of them stays, and calls of others go on."""

import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
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
from support.server_process import ServerProcess
from support.ways import CALLS_AT_ONCE, WAYS, code_of, path_of, request, start

CANCEL = (8).to_bytes(4, "big")
STREAMS = range(1, 2 * CALLS_AT_ONCE, 2)
TIMES = 5


def headers(way: str, stream: int) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, header_block(path_of(way)))


def nothing(_: str, __: int) -> list[bytes]:
    return []


def only_headers(way: str, stream: int) -> list[bytes]:
    return [headers(way, stream)]


def half_a_message(way: str, stream: int) -> list[bytes]:
    serialized = request(way) + bytes(10)
    whole = message(stream, serialized, last=False)
    return [headers(way, stream), whole[: 9 + len(serialized) // 2]]


def half_a_message_in_a_whole_frame(way: str, stream: int) -> list[bytes]:
    return [headers(way, stream), frame(0, 0, stream, b"\0\0\0\1\0" + request(way)[:100])]


def a_whole_call(way: str, stream: int) -> list[bytes]:
    return [headers(way, stream), message(stream, request(way))]


def a_call_that_is_taken_back(way: str, stream: int) -> list[bytes]:
    return [*a_whole_call(way, stream), frame(RST_STREAM, 0, stream, CANCEL)]


def half_a_message_that_is_taken_back(way: str, stream: int) -> list[bytes]:
    return [*half_a_message_in_a_whole_frame(way, stream), frame(RST_STREAM, 0, stream, CANCEL)]


def a_message_with_an_end_in_its_middle(way: str, stream: int) -> list[bytes]:
    return [headers(way, stream), frame(0, END_STREAM, stream, b"\0\0\0\1\0" + request(way)[:100])]


SENT = [
    *(nothing, only_headers, half_a_message, half_a_message_in_a_whole_frame, a_whole_call, a_call_that_is_taken_back),
    *(half_a_message_that_is_taken_back, a_message_with_an_end_in_its_middle),
]


def close(opened: socket.socket) -> None:
    """Ends both directions in order."""
    opened.close()


def reset(opened: socket.socket) -> None:
    """Ends the connection with an RST."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.close()


def half_close(opened: socket.socket) -> None:
    """Ends the caller's direction alone, and reads until the server has ended its own."""
    opened.shutdown(socket.SHUT_WR)
    while opened.recv(65536):
        pass


@pytest.mark.parametrize("end", [close, reset, half_close])
@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_of_a_connection_that_ends(
    narrow: ServerProcess, way: str, sent: Callable[[str, int], list[bytes]], end: Callable[[socket.socket], None]
) -> None:
    for _ in range(TIMES):
        with RawConnection(narrow.address, None) as connection:
            connection.begin()
            connection.send(*(part for stream in STREAMS for part in sent(way, stream)))
            end(connection.socket)
    assert code_of(start(narrow, "check")) is grpc.StatusCode.OK


@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_of_a_connection_that_is_reset_in_the_middle_of_an_answer(
    narrow: ServerProcess, way: str
) -> None:
    for window in (0, 1, 100, 10_000):
        with RawConnection(narrow.address, None) as connection:
            connection.begin({INITIAL_WINDOW_SIZE: window})
            connection.send(*(part for stream in STREAMS for part in a_whole_call(way, stream)))
            next(received for received in connection.frames() if received.kind == HEADERS)
            reset(connection.socket)
    assert code_of(start(narrow, "check")) is grpc.StatusCode.OK


@pytest.mark.parametrize("sent", [nothing, only_headers, half_a_message])
def test_silent_connections_keep_no_other_call_waiting(
    narrow: ServerProcess, sent: Callable[[str, int], list[bytes]]
) -> None:
    with ExitStack() as opened:
        for way in list(WAYS) * 10:
            connection = opened.enter_context(RawConnection(narrow.address, None))
            connection.begin()
            connection.send(*(part for stream in STREAMS for part in sent(way, stream)))
        for way in WAYS:
            assert code_of(start(narrow, way)) is grpc.StatusCode.OK


@pytest.mark.parametrize("spoken", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01", bytes(1000)])
def test_connections_that_speak_something_else_harm_no_call(narrow: ServerProcess, spoken: bytes) -> None:
    for _ in range(TIMES):
        with RawConnection(narrow.address, None) as connection:
            connection.send(spoken)
            half_close(connection.socket)
    assert code_of(start(narrow, "check")) is grpc.StatusCode.OK
