"""The limit of connections follows the limit of open files."""

import resource
from collections.abc import Iterator

import pytest
from frostgate_server.config.settings import Settings
from frostgate_server.rpc.server_options import RESERVED_FILES, allowed_connections, server_options


@pytest.fixture
def open_files(request: pytest.FixtureRequest) -> Iterator[int]:
    """Sets the limit of open files of this process."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (request.param, most))
    yield request.param
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.mark.parametrize("open_files", [256, 512, 1024], indirect=True)
def test_a_low_limit_of_open_files_lowers_that_of_connections_and_leaves_files_for_all_else(open_files: int) -> None:
    settings = Settings(max_connections=10_000)
    assert allowed_connections(settings, addresses=1) == open_files - RESERVED_FILES
    assert allowed_connections(settings, addresses=3) == (open_files - RESERVED_FILES) // 3
    assert allowed_connections(Settings(max_connections=10), addresses=3) == 10


@pytest.mark.parametrize("open_files", [RESERVED_FILES, 150], indirect=True)
@pytest.mark.usefixtures("open_files")
def test_one_connection_is_always_allowed() -> None:
    assert allowed_connections(Settings(), addresses=2) == 1


def test_without_a_limit_of_open_files_the_setting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert allowed_connections(Settings(max_connections=5000), addresses=2) == 5000


def test_the_allowed_connections_are_those_that_grpc_is_told() -> None:
    options = dict(server_options(Settings(max_connections=5000), 77))
    assert options["grpc.max_allowed_incoming_connections"] == 77
    assert options["grpc.max_concurrent_streams"] == Settings().max_calls_per_connection
