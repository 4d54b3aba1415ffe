"""A pytest plugin: the size of a test, which is short in `make test` and long in `make test-long`."""

import pytest


class _Form:
    is_long = False
    times = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options that choose the form."""
    parser.addoption("--long", action="store_true", help="give tests that are marked long their long form")
    parser.addoption("--times", type=int, default=1, help="multiply the long form: for campaigns")


def pytest_configure(config: pytest.Config) -> None:
    """Notes the form before any test module is imported."""
    _Form.is_long, _Form.times = config.getoption("long"), config.getoption("times")


def size(*, short: int, long: int) -> int:
    """A test's number of repetitions, examples or steps. Mark the test with `pytest.mark.long`."""
    return long * _Form.times if _Form.is_long else short


def longest(timeout: float, *, is_long: bool) -> float:
    """Seconds that a test may take: six times its timeout in the long form."""
    return timeout * 6 * _Form.times if _Form.is_long and is_long else timeout
