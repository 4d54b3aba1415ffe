"""Both clients."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.both_clients import KINDS, open_client
from support.server_process import ServerProcess


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Any]:
    """Each client, connected to the module's server."""
    with open_client(request.param, server.address) as opened:
        yield opened
