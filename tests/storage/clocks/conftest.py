"""The use cases on a clock that a test moves."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from frostgate_server.storage.sqlite.opening import open_store
from storage.clocks.clocked_services import ClockedServices


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ClockedServices]:
    """The services on a new store, with one partner that has codes enabled. Takes milliseconds."""
    with closing(open_store(tmp_path / "frostgate.db", create=True)) as store:
        yield ClockedServices(store)
