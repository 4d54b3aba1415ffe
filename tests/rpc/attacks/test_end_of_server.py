"""SIGTERM while connections are open on which nothing happens: the server ends soon."""

from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

import pytest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from support.attacked import CHECK, DRAIN_PERIOD, HEALTH_WATCH, REFLECTION, Attacked
from support.processes import PATIENCE
from support.raw_http2 import DATA, END_HEADERS, HEADERS, frame, message

LIST = ServerReflectionRequest(list_services="*").SerializeToString()


def half_of(target: Attacked, path: str) -> bytes:
    return frame(HEADERS, END_HEADERS, 1, target.headers(path)) + message(1, bytes(100), last=False)[:-50]


OPEN: dict[str, Callable[[Attacked], bytes]] = {
    "idle watch": lambda target: target.call(1, HEALTH_WATCH, b""),
    "idle reflection": lambda target: (
        frame(HEADERS, END_HEADERS, 1, target.headers(REFLECTION)) + message(1, LIST, last=False)
    ),
    "half a check": lambda target: half_of(target, CHECK),
    "half a change": lambda target: half_of(target, "/frostgate.v1.CustomerFreezeService/FreezeCustomer"),
    "headers alone": lambda target: frame(HEADERS, END_HEADERS, 1, target.headers(CHECK)),
    "no call": lambda _: b"",
}


@pytest.fixture
def target(own_target: Attacked) -> Attacked:
    """A server for each test: it is ended."""
    return own_target


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "is silent"])
def test_idle_connections_do_not_hold_up_the_end_of_a_server(target: Attacked, reads: bool) -> None:
    with ExitStack() as opened:
        connections = []
        for frames in OPEN.values():
            connection = opened.enter_context(target.raw())
            connection.begin()
            connection.send(frames(target))
            connections.append(connection)
        watch, reflection, *_ = connections
        for connection in (watch, reflection):
            assert connection.frames_until(1, lambda received: received.kind == DATA)
        start = monotonic()
        target.server.process.terminate()
        if reads:
            for connection in connections:
                connection.wait_for_end()
        assert target.server.process.wait(PATIENCE) == 0
        print(f"{monotonic() - start:.2f} s")
        assert monotonic() - start < DRAIN_PERIOD / 3
