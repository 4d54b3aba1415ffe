"""Proxies of the environment: which calls go through them."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import frostgate
import pytest
from support.both_clients import KINDS, open_client
from support.processes import PATIENCE
from support.server_process import ServerProcess

VARIABLES = ["grpc_proxy", "https_proxy", "http_proxy"]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A proxy that all variables name, and that answers nothing. It takes connections by the way they come."""
    for variable in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for variable in VARIABLES:
            monkeypatch.setenv(variable, f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield listening


def first_bytes(proxy: socket.socket) -> bytes:
    """The beginning of what comes to the proxy."""
    proxy.settimeout(PATIENCE)
    connection, _ = proxy.accept()
    with connection:
        connection.settimeout(PATIENCE)
        return connection.recv(1000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "dns:///127.0.0.1"])
def test_a_call_to_loopback_goes_directly(kind: str, host: str, server: ServerProcess, proxy: socket.socket) -> None:
    target = f"{host}:{server.address.rsplit(':', 1)[1]}"
    with open_client(kind, target, timeout=PATIENCE) as client:
        assert client.list_rules().rules
    proxy.setblocking(False)
    with pytest.raises(BlockingIOError):
        proxy.accept()


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_to_a_unix_socket_goes_directly(kind: str, socket_server: ServerProcess, proxy: socket.socket) -> None:
    with open_client(kind, socket_server.address, timeout=PATIENCE) as client:
        assert client.list_rules().rules
    proxy.setblocking(False)
    with pytest.raises(BlockingIOError):
        proxy.accept()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("frostgate.example:50051", {}),
        ("127.0.0.1:50051", {"options": [("grpc.enable_http_proxy", 1)]}),
    ],
    ids=["another host", "loopback with the option"],
)
def test_other_calls_go_through_the_proxy(kind: str, target: str, settings: Any, proxy: socket.socket) -> None:
    with ThreadPoolExecutor(1) as thread, open_client(kind, target, timeout=1, **settings) as client:
        came = thread.submit(first_bytes, proxy)
        with pytest.raises((frostgate.Unavailable, frostgate.DeadlineExceeded)):
            client.list_rules()
        assert came.result(PATIENCE).startswith(f"CONNECT {target} ".encode())
