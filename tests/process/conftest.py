"""Servers with two workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server_process import PATIENT_STORE, ServerProcess


@pytest.fixture
def two(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers, whatever the machine has."""
    with ServerProcess(tmp_path / "frostgate.db", "--workers", "2", "--drain-period", "1h") as server:
        yield server


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with two workers that replaces a hung one soon, but not one that only waits for a loaded machine."""
    flags = ["--workers", "2", "--drain-period", "1h", "--worker-patience", "3s"]
    with ServerProcess(tmp_path / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
        yield server
