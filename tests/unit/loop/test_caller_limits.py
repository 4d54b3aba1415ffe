"""The limits of each caller: so many calls in progress, and so many in a second, whatever other callers do."""

from typing import Any

import pytest
from frostgate_server.config.settings import Settings
from frostgate_server.rpc.loop import limits
from frostgate_server.rpc.loop.limits import CallerLimits
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """Stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the limits."""
    made = Clock()
    monkeypatch.setattr(limits, "monotonic", made)
    return made


def new_call() -> Any:
    """A call, of which the limits look at nothing."""
    return object()


def limited(in_flight: int = 0, per_second: int = 0) -> CallerLimits:
    return CallerLimits(Settings(caller_calls_in_flight=in_flight, caller_calls_per_second=per_second))


def admitted(counted: CallerLimits, owner: str, calls: int) -> int:
    """How many of so many new calls are admitted."""
    return sum(counted.admit(owner, new_call()) for _ in range(calls))


@pytest.mark.parametrize(("in_flight", "per_second", "some"), [(0, 0, False), (1, 0, True), (0, 1, True)])
def test_limits_are_there_if_one_is_set(in_flight: int, per_second: int, some: bool) -> None:
    assert bool(limited(in_flight, per_second)) is some


def test_a_caller_has_so_many_calls_in_progress_and_one_more_for_each_that_ends() -> None:
    counted = limited(in_flight=3)
    calls = [new_call() for _ in range(3)]
    assert [counted.admit("a", call) for call in calls] == [True] * 3
    assert admitted(counted, "a", 5) == 0
    counted.release(calls[1])
    assert admitted(counted, "a", 5) == 1


def test_calls_of_one_caller_do_not_count_for_another() -> None:
    counted = limited(in_flight=2, per_second=100)
    assert [admitted(counted, owner, 5) for owner in ("a", "b", "a", "c")] == [2, 2, 0, 2]


def test_a_call_that_was_refused_or_has_ended_before_gives_nothing_back() -> None:
    counted = limited(in_flight=1)
    first, refused = new_call(), new_call()
    assert counted.admit("a", first)
    assert not counted.admit("a", refused)
    counted.release(refused)
    assert admitted(counted, "a", 1) == 0
    counted.release(first)
    counted.release(first)
    assert admitted(counted, "a", 2) == 1


def test_a_caller_makes_so_many_calls_at_once_and_then_as_many_as_time_brings(clock: Clock) -> None:
    counted = limited(per_second=8)
    assert admitted(counted, "a", 20) == 8
    clock.now += 2.5 / 8
    assert admitted(counted, "a", 20) == 2
    clock.now += 0.5 / 8
    assert admitted(counted, "a", 20) == 1
    clock.now += 3600
    assert admitted(counted, "a", 20) == 8


def test_a_call_beyond_the_limit_of_calls_in_progress_takes_no_allowance(clock: Clock) -> None:
    counted = limited(in_flight=1, per_second=2)
    call = new_call()
    assert counted.admit("a", call)
    assert admitted(counted, "a", 5) == 0
    counted.release(call)
    assert admitted(counted, "a", 1) == 1
    assert clock.now == Clock.now


@pytest.mark.usefixtures("clock")
def test_a_call_beyond_the_rate_is_not_in_progress() -> None:
    counted = limited(in_flight=2, per_second=1)
    assert admitted(counted, "a", 5) == 1
    assert counted._in_flight == {"a": 1}


def test_callers_without_recent_calls_are_forgotten_and_others_are_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_MOST_IDLE", 10)
    counted = limited(per_second=1)
    for number in range(11):
        assert admitted(counted, f"idle {number}", 1) == 1
    clock.now += 0.9
    assert admitted(counted, "busy", 1) == 1
    clock.now += 0.5
    assert admitted(counted, "another", 1) == 1
    assert set(counted._allowances) == {"busy", "another"}
    assert admitted(counted, "busy", 1) == 0
    assert admitted(counted, "idle 0", 1) == 1


@given(per_second=st.integers(1, 5), pauses=st.lists(st.floats(0, 0.6), min_size=1, max_size=40))
def test_in_any_time_a_caller_makes_no_more_calls_than_at_once_and_those_that_time_brings(
    per_second: int, pauses: list[float]
) -> None:
    clock, times = Clock(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "monotonic", clock)
        counted = limited(per_second=per_second)
        for pause in pauses:
            clock.now += pause
            if admitted(counted, "a", 1):
                times.append(clock.now)
    for first, start in enumerate(times):
        for count, end in enumerate(times[first:], start=1):
            assert count <= per_second + (end - start) * per_second + 1e-6
