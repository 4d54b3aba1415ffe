"""A pytest plugin: tests that run with both dispatches of the server, the loop and grpcio.

`pytest.mark.both_dispatches` gives a test, or all tests of a module, to servers with `--call-dispatch grpcio` too. With
`short=False` only `make test-long` does so. All other tests run on the default.
"""

from collections.abc import Iterator

import pytest
from support import server_process
from support.runner.sizes import is_long

MARK = "both_dispatches"

DEFAULT = "loop"


def pytest_configure(config: pytest.Config) -> None:
    """Adds the mark."""
    config.addinivalue_line("markers", f"{MARK}(short=True): runs on the loop and on grpcio's own dispatch")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeats marked tests."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    if mark.kwargs.get("short", True):
        metafunc.parametrize("dispatch", [DEFAULT, "grpcio"], indirect=True, scope="module")
    elif is_long():
        grpcio = pytest.param("grpcio", marks=pytest.mark.long)
        metafunc.parametrize("dispatch", [DEFAULT, grpcio], indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def dispatch(request: pytest.FixtureRequest) -> Iterator[str]:
    """The dispatch of all servers that a test starts."""
    chosen: str = getattr(request, "param", DEFAULT)
    with pytest.MonkeyPatch.context() as patch:
        if chosen != DEFAULT:
            patch.setattr(server_process, "FLAGS", ["--call-dispatch", chosen])
        yield chosen
