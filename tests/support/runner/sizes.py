"""A pytest plugin: the size of a test, which is short in `make test` and long in `make test-long`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


class _Form:
    is_long = False
    times = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options that choose the form."""
    parser.addoption("--long", action="store_true", help="give tests that are marked long their long form")
    parser.addoption("--times", type=int, default=1, help="multiply the long form: for campaigns")


def pytest_configure(config: pytest.Config) -> None:
    """Stores the form before any test module is imported."""
    _Form.is_long, _Form.times = config.getoption("long"), config.getoption("times")


def is_long() -> bool:
    """Whether tests have their long form."""
    return _Form.is_long


def size(*, short: int, long: int) -> int:
    """A test's number of repetitions, examples or steps. Mark the test with `pytest.mark.long`."""
    return long * _Form.times if _Form.is_long else short


def members(every: Iterable[Any], *, short: Collection[Any]) -> list[Any]:
    """Values to parametrize a test with: in the short form only those in `short`, in the long form all.

    A tuple gives several values at once.
    """
    found = list(every)
    if missing := [one for one in short if one not in found]:
        raise ValueError(f"not among the members: {missing}")
    others = [one for one in found if one not in short] if _Form.is_long else []
    marked = [pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=pytest.mark.long) for one in others]
    return [*short, *marked]


def longest(timeout: float, *, is_long: bool) -> float:
    """The most seconds that a test may take: six times its timeout in the long form."""
    return timeout * 6 * _Form.times if _Form.is_long and is_long else timeout
