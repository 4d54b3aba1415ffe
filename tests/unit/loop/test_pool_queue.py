"""The calls of a pool: how many may wait, of whom, and which answers may stay unread."""

from typing import Any, cast

import pytest
from frostgate_server.rpc.loop.methods import PoolQueue
from frostgate_server.rpc.thread_pools import ThreadPool

MOST = 10

SILENT = "silent", "connection"


class FakeCall:
    """A call of which a queue knows only whether it was cut."""

    is_cut = False

    def cut(self) -> None:
        self.is_cut = True


@pytest.fixture
def queue() -> PoolQueue:
    """Room for ten calls, of a pool that is not used."""
    return PoolQueue(cast(ThreadPool, None), MOST)


def new_call() -> Any:
    return FakeCall()


def fill(queue: PoolQueue, name: str) -> list[Any]:
    """Adds calls of a caller as long as there is room."""
    owner = name, "connection"
    added = []
    while queue.has_room(owner):
        added.append(new_call())
        queue.add(added[-1], owner)
    return added


def test_beyond_the_limit_a_caller_with_few_calls_may_still_add_some(queue: PoolQueue) -> None:
    assert len(fill(queue, "many")) == MOST
    assert len(fill(queue, "few")) == MOST / 2
    assert not queue.has_room(("many", "connection"))
    assert queue.has_room(("many", "another connection"))
    assert queue.has_room(("fewer", "connection"))


def test_all_callers_together_have_at_most_twice_the_limit(queue: PoolQueue) -> None:
    assert sum(len(fill(queue, f"caller-{number}")) for number in range(100)) == 2 * MOST


@pytest.mark.parametrize("end", ["remove", "on_reply", "on_end"])
def test_a_call_that_has_ended_makes_room(queue: PoolQueue, end: str) -> None:
    calls = fill(queue, "many")
    getattr(queue, end)(calls[0])
    getattr(queue, end)(calls[0])
    assert len(fill(queue, "many")) == 1
    for call in calls:
        getattr(queue, end)(call)
    assert len(fill(queue, "many")) == MOST - 1


def test_the_oldest_unread_answer_is_cut_beyond_the_limit(queue: PoolQueue) -> None:
    answered = [new_call() for _ in range(MOST + 2)]
    for call in answered:
        queue.add(call, SILENT)
        queue.on_reply(call)
    assert [call.is_cut for call in answered] == [True, *[False] * (MOST + 1)]
    assert queue.has_room(SILENT)
