"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest
from support.calls import Calls
from support.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dispatch: str) -> Iterator[ServerProcess]:
    """A server with one worker that the tests of a module share: each takes customers of its own."""
    with ServerProcess(tmp_path_factory.mktemp(dispatch) / "frostgate.db") as process:
        yield process


@pytest.fixture
def the_server_goes_on(calls: Calls) -> Iterator[None]:
    """After each bad input, a good call is answered."""
    yield
    assert calls.check(customer_id=calls.new_customer()).message
