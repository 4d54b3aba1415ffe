"""The parts of grpcio that are not public: the server does not start without one, and says which."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

import grpc
import pytest
from frostgate_server.domain.errors import StartupError
from frostgate_server.rpc import grpc_internals as internals
from support.processes import PATIENCE

PATH = "/a/b"


@pytest.fixture
def grpc_server() -> Iterator[grpc.Server]:
    """A bare server that has not started."""
    server = grpc.server(ThreadPoolExecutor(1))
    yield server
    server.stop(None).wait(PATIENCE)


class Without:
    """A part without some of its attributes."""

    def __init__(self, part: object, missing: str) -> None:
        """Takes away one attribute."""
        self._part = part
        self._missing = missing

    def __getattr__(self, name: str) -> Any:
        """All others are those of the part."""
        if name == self._missing:
            raise AttributeError(name)
        return getattr(self._part, name)


PARTS = [(part, attribute) for part, attributes in internals._PARTS for attribute in ("", *attributes)]


def test_the_installed_grpcio_has_all_parts(grpc_server: grpc.Server) -> None:
    internals.ensure_supported(grpc_server)


@pytest.mark.parametrize(("part", "attribute"), PARTS)
def test_a_missing_part_is_named(
    monkeypatch: pytest.MonkeyPatch, grpc_server: grpc.Server, part: str, attribute: str
) -> None:
    whole = vars(internals)["cygrpc"]
    there = Without(getattr(whole, part), attribute) if attribute else None
    fake = Without(whole, part)
    if there is not None:
        vars(fake)[part] = there
    monkeypatch.setattr(internals, "cygrpc", fake)
    with pytest.raises(StartupError) as refused:
        internals.ensure_supported(grpc_server)
    name = f"cygrpc.{part}.{attribute}" if attribute else f"cygrpc.{part}"
    assert str(refused.value).startswith(f"grpcio {grpc.__version__} has no {name}: ")
    assert "call_dispatch = grpcio" in str(refused.value)


def test_a_server_without_its_state_is_named(grpc_server: grpc.Server) -> None:
    with pytest.raises(StartupError, match=r"has no grpc\.server\(\)\._state\.server:"):
        internals.ensure_supported(Without(grpc_server, "_state"))  # type: ignore[arg-type] # it is no other server


def test_what_grpc_does_not_take_is_an_error(grpc_server: grpc.Server) -> None:
    queue = internals.CallQueue(grpc_server)
    queue.register(PATH)
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    assert queue.request(PATH, "call")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        function: Any = channel.unary_unary(PATH)
        future = function.future(b"question", timeout=PATIENCE)
        call = queue.poll(time() + PATIENCE).call
        internals.send_answer(call, b"answer", (), "sent")
        with pytest.raises(RuntimeError, match="error 8"):
            internals.send_answer(call, b"another", (), "never")
        assert future.result() == b"answer"
        assert queue.poll(time() + PATIENCE).tag == "sent"
        del call
    grpc_server.stop(None).wait(PATIENCE)
    assert not queue.request(PATH, "late")
    queue.shut_down()
