"""A server with callers of every role, by certificate and by token."""

from collections.abc import Iterator

import pytest
from support.access import Access
from support.server_process import ServerProcess


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory, dispatch: str) -> Access:
    """The keys, certificates and callers of the module's server."""
    return Access(tmp_path_factory.mktemp(dispatch))


@pytest.fixture(scope="module")
def server(access: Access) -> Iterator[ServerProcess]:
    """A server with one worker on both addresses, started once for a module."""
    with access.server("--workers", "1") as server:
        yield server
