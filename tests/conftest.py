"""Fixtures that many tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.calls import Calls
from support.server_process import TWO_WORKERS, ServerProcess

pytest_plugins = [
    "support.runner.sizes",
    "support.runner.dispatches",
    "support.runner.hanging_tests",
    "support.runner.leftover_processes",
    "support.runner.time_budgets",
]

# An example takes as long as the machine needs: a loaded one is not a failure.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")

TOOLS = Path(__file__).parent.parent / ".tools"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dispatch: str) -> Iterator[ServerProcess]:
    """A server that the tests of a module share. Each test uses its own customers."""
    with ServerProcess(tmp_path_factory.mktemp(dispatch) / "frostgate.db", TWO_WORKERS) as process:
        yield process


@pytest.fixture(scope="module")
def calls(server: ServerProcess) -> Calls:
    """The calls of the module's server."""
    return Calls(server)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Finds a program that is not a Python package. If it is missing, the test is skipped; in CI it fails."""

    def find(name: str) -> str:
        found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
        if found is not None:
            return found
        message = f"{name} is not installed" + (": `make tools` builds it with Go" if name == "grpcurl" else "")
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

    return find
