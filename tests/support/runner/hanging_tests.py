"""A pytest plugin: a test that hangs fails alone, and the others go on.

At the timeout of pytest-timeout a signal fails the test. The end of a `with` block can hang too, for example when it
waits for a thread. So the signal is repeated until the test has ended. A signal that comes while pytest itself works,
for example on a report, does nothing. Code in C that never returns does not handle the signal: then the process ends,
and pytest-xdist reports the test and starts another process.
"""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.runner.sizes import longest

AGAIN = 30.0
"""The most seconds from one signal to the next."""

LAST = 8
"""The number of signals after which the process ends."""

_STDERR = pytest.StashKey[int]()
_TIMED_OUT = pytest.StashKey[bool]()
_IN_PHASE = pytest.StashKey[bool]()
"""Whether the setup, the call or the teardown of a test runs. At other times a signal would end pytest itself."""


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the real stderr for the stacks of a test that hangs."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        config.stash[_STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Starts the signals, instead of pytest-timeout's single signal."""
    seconds = longest(settings.timeout, is_long=item.get_closest_marker("long") is not None)
    stderr = item.config.stash[_STDERR]

    def interrupt(*_: object) -> None:
        __tracebackhide__ = True
        if not item.stash.get(_IN_PHASE, False):
            return
        faulthandler.dump_traceback(stderr)
        item.config.stash[_TIMED_OUT] = True
        pytest.fail(f"the test hangs: it did not end within {seconds:g} s")

    signal.signal(signal.SIGALRM, interrupt)
    again = min(AGAIN, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds, again)
    faulthandler.dump_traceback_later(seconds + LAST * again, exit=True, file=stderr)
    return True


def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    """Prevents pytest-timeout from stopping the signals when a test fails, because its fixtures can still hang."""
    if item.config.getoption("usepdb"):
        _disarm()
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Iterator[Any]:
    """Stops the signals when the test and its fixtures have ended."""
    try:
        return (yield)
    finally:
        _disarm()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Lets a signal fail the setup."""
    yield from _phase(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Lets a signal fail the call."""
    yield from _phase(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Lets a signal fail the teardown."""
    yield from _phase(item)


def _phase(item: pytest.Item) -> Iterator[None]:
    item.stash[_IN_PHASE] = True
    try:
        yield
    finally:
        item.stash[_IN_PHASE] = False


def _disarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends the process after a test that hung, even if a thread of that test still runs."""
    if session.config.stash.get(_TIMED_OUT, False):
        end = threading.Timer(AGAIN, lambda: os._exit(int(session.exitstatus)))
        end.daemon = True
        end.start()
