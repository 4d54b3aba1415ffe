"""Owners take turns: first names in turn, the second names of each in turn, the items of each owner in their order."""

from copy import deepcopy
from typing import NamedTuple

from frostgate_server.rpc.loop.fair_queue import FairQueue, Owner, OwnerCounts
from hypothesis import given
from hypothesis import strategies as st


class Item(NamedTuple):
    """An item of an owner."""

    owner: Owner
    number: int


class Model:
    """A list of all items that wait, and since when each name has waited for its turn."""

    def __init__(self) -> None:
        self.waiting: list[Item] = []
        self._since: dict[Owner, int] = {}
        self._moment = 0

    def add(self, item: Item) -> None:
        name, second = item.owner
        if not self.count(name):
            self._wait_from_now((name, ""))
        if item.owner not in {one.owner for one in self.waiting}:
            self._wait_from_now((name, second))
        self.waiting.append(item)

    def take_next(self) -> Item:
        name = min(self.names(), key=lambda name: self._since[name, ""])
        owners = {item.owner for item in self.waiting if item.owner[0] == name}
        owner = min(owners, key=lambda owner: self._since[owner])
        item = next(item for item in self.waiting if item.owner == owner)
        self.waiting.remove(item)
        self._wait_from_now((name, ""))
        self._wait_from_now(owner)
        return item

    def names(self) -> set[str]:
        return {item.owner[0] for item in self.waiting}

    def count(self, name: str) -> int:
        return sum(item.owner[0] == name for item in self.waiting)

    def turn_of(self, owner: Owner) -> int:
        """The items that are taken before one that the owner adds now."""
        later = deepcopy(self)
        later.add(added := Item(owner, -1))
        taken = 0
        while later.take_next() != added:
            taken += 1
        return taken

    def _wait_from_now(self, waiting: Owner) -> None:
        self._moment += 1
        self._since[waiting] = self._moment


OWNERS = [(name, second) for name in "abc" for second in "123"]

names = st.sampled_from(["a", "b", "c"])
seconds = st.sampled_from(["1", "2", "3"])
steps = st.lists(st.one_of(st.tuples(names, seconds), st.integers(0, 5)), max_size=60)


@given(steps=steps)
def test_items_are_taken_in_the_order_of_a_simple_model(steps: list[Owner | int]) -> None:
    """A step adds an item of an owner, or takes a number of items."""
    queue: FairQueue[Item] = FairQueue()
    model = Model()
    for number, step in enumerate(steps):
        if isinstance(step, int):
            wanted = min(step, len(model.waiting))
            assert queue.take(step) == [model.take_next() for _ in range(wanted)]
        else:
            queue.add(step, Item(step, number))
            model.add(Item(step, number))
        assert len(queue) == len(model.waiting)
        assert all(queue.counts.turn_of(owner) >= model.turn_of(owner) for owner in OWNERS)


@given(counts=st.dictionaries(st.tuples(names, seconds), st.integers(1, 20), min_size=1), taken=st.integers(0, 60))
def test_no_first_name_gets_two_turns_more_than_another_that_waits(counts: dict[Owner, int], taken: int) -> None:
    queue: FairQueue[Owner] = FairQueue()
    for owner, count in counts.items():
        for _ in range(count):
            queue.add(owner, owner)
    turns = [name for name, _ in queue.take(taken)]
    waiting = [name for name in "abc" if sum(counts.get((name, one), 0) for one in "123") > turns.count(name)]
    assert all(turns.count(name) <= turns.count(other) + 1 for name in "abc" for other in waiting)


def test_one_connection_with_many_items_does_not_delay_the_other_of_its_caller() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.add(("a", "busy"), f"busy {number}")
    queue.add(("a", "quiet"), "quiet")
    queue.add(("b", "other"), "other")
    assert queue.take(4) == ["busy 0", "other", "quiet", "busy 1"]


def fill(counts: OwnerCounts, owner: Owner, most: int) -> int:
    """How many items an owner adds until it has its part."""
    added = 0
    while counts.has_share(owner, most):
        counts.add(owner)
        added += 1
    return added


def test_callers_have_equal_parts_and_so_have_the_connections_of_one() -> None:
    counts = OwnerCounts()
    assert fill(counts, ("a", "1"), 100) == 100
    assert fill(counts, ("b", "1"), 100) == 50
    assert fill(counts, ("b", "2"), 100) == 25
    assert fill(counts, ("a", "2"), 100) == 25
    assert fill(counts, ("a", "3"), 90) == 15
    assert not counts.has_share(("a", "1"), 100)


def test_an_empty_queue_gives_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    assert (queue.take(5), len(queue), queue.counts.turn_of(("a", "1"))) == ([], 0, 0)
