"""A server with one worker, whose credentials a test may replace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.access import Access
from support.server_process import ServerProcess


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """Keys, certificates and callers of one test."""
    return Access(tmp_path)


@pytest.fixture
def server(access: Access) -> Iterator[ServerProcess]:
    """A server with one worker, started for each test."""
    with access.server("--workers", "1") as server:
        yield server
