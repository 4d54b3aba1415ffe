"""Floods of frames that cost their sender little. The connection is ended, or takes nothing from others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, repeat
from time import monotonic, sleep

import pytest
from frostgate_server.rpc.server_options import LEAST_PING_INTERVAL_MS
from support.attacked import CHECK, Attacked
from support.processes import PATIENCE
from support.raw_http2 import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_FRAME,
    PING,
    SETTINGS,
    frame,
    header_block,
)
from support.runner.sizes import size

FRAMES_A_BURST = 100

WINDOW = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + (65535).to_bytes(4, "big")


def pings() -> Iterator[bytes]:
    return repeat(frame(PING, 0, 0, b"12345678"))


def continuations() -> Iterator[bytes]:
    """Headers of one call that never end."""
    yield frame(HEADERS, 0, 1, header_block(CHECK))
    yield from repeat(frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 1000))


def empty_continuations() -> Iterator[bytes]:
    yield frame(HEADERS, 0, 1, header_block(CHECK))
    yield from repeat(frame(CONTINUATION, 0, 1))


def settings() -> Iterator[bytes]:
    return repeat(frame(SETTINGS, 0, 0, WINDOW * 10))


def large_headers() -> Iterator[bytes]:
    """Calls, each with more headers than are taken."""
    block = header_block(CHECK, [("a", "b" * (LARGEST_FRAME // 3))] * 2)
    for stream in count(1, 2):
        yield frame(HEADERS, 0, stream, block) + frame(CONTINUATION, END_HEADERS, stream, header_block(CHECK)[:0])


def flood(target: Attacked, frames: Iterator[bytes], seconds: float) -> bool:
    """Sends frames until the server ends the connection, or the time is over. Gives whether the server did."""
    with target.raw() as connection, ThreadPoolExecutor(1) as reader:
        connection.begin()
        read = reader.submit(connection.wait_for_end)
        end = monotonic() + seconds
        with suppress(OSError):
            while monotonic() < end and not read.done():
                connection.send(*(next(frames) for _ in range(FRAMES_A_BURST)))
        was_ended = read.done()
        connection.end()
        read.result(PATIENCE)
        return was_ended


FLOODS = {made.__name__: made for made in (pings, continuations, empty_continuations, settings, large_headers)}


@pytest.mark.parametrize("name", FLOODS)
def test_calls_go_on_beside_a_flood(target: Attacked, name: str) -> None:
    frames = FLOODS[name]
    with ThreadPoolExecutor(2) as pool, target.connect() as connection:
        target.check(connection)
        floods = [pool.submit(flood, target, frames(), 0.5) for _ in range(2)]
        while not all(one.done() for one in floods):
            assert target.check(connection).message
        print(name, [one.result() for one in floods])
    target.assert_serves()


def test_connections_that_are_flooded_with_pings_are_ended(target: Attacked) -> None:
    """gRPC says so at once, and closes the connection with the first pause of the flood."""
    with target.raw() as connection:
        connection.begin()
        connection.send(frame(PING, 0, 0, b"12345678") * 1000)
        last = connection.wait_for_end()
        assert last is not None
        assert (last.kind, last.payload[8:]) == (GOAWAY, b"too_many_pings")


@pytest.mark.long
def test_pings_at_the_interval_that_is_allowed_are_answered(target: Attacked) -> None:
    with target.raw() as connection:
        connection.begin()
        for turn in range(size(short=1, long=8)):
            if turn:
                sleep(LEAST_PING_INTERVAL_MS / 1000 + 0.1)
            connection.send(frame(PING, 0, 0, b"12345678"))
            received = next(one for one in connection.frames() if one.kind == GOAWAY or one.flags & ACK)
            assert (received.kind, received.payload) == (PING, b"12345678")
