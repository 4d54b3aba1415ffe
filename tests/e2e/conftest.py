"""Both clients, and the load of the benchmarks."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks import load_program
from support.both_clients import KINDS, open_client
from support.runner.built_once import built_once
from support.server_process import TWO_WORKERS, ServerProcess


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that all modules share: each test takes customers of its own."""
    with ServerProcess(tmp_path_factory.mktemp("shared") / "frostgate.db", TWO_WORKERS) as process:
        yield process


@pytest.fixture(scope="session")
def socket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same, on a Unix socket and with one worker."""
    directory = tmp_path_factory.mktemp("socket")
    with ServerProcess(directory / "frostgate.db", "--listen", f"unix:{directory}/socket") as process:
        yield process


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Any]:
    """Each client, connected to the shared server."""
    with open_client(request.param, server.address) as opened:
        yield opened


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Path:
    """The load, a Go program, and beside it the bare server in Go. It takes up to half a minute to build them."""
    tool("go")
    return built_once(tmp_path_factory, "load", load_program.built) / "load"
