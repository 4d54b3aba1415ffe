"""A pytest plugin: each file of tests has a time budget. A file over its budget is reported, but does not fail."""

from collections import Counter

import pytest

SHORT, LONG = 30.0, 300.0
"""Seconds for all cases of a file together, in the short form and in the long form."""

_SPENT = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Starts to count."""
    config.stash[_SPENT] = Counter()
    config.pluginmanager.register(_Clock(config.stash[_SPENT]))


class _Clock:
    """Adds up the time of the cases of each file."""

    def __init__(self, spent: Counter[str]) -> None:
        self._spent: Counter[str] = spent

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts the setup, the call and the teardown of a case."""
        # Counters of floats work, but their type says int.
        self._spent[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the files over their budget, the slowest first."""
    budget = LONG if config.getoption("long") else SHORT
    for file, seconds in config.stash[_SPENT].most_common():
        if seconds > budget:
            terminalreporter.write_line(f"over its time budget: {file} {seconds:.0f} s of {budget:.0f} s")
