"""Owners share a limit and take turns: an owner with many items does not delay owners with few items.

An owner is one connection of one caller. All callers have equal shares. All connections of one caller have equal parts
of its share.
"""

from collections import deque
from typing import Generic, TypeVar

Owner = tuple[str, str]
"""The name of a caller, and the name of its connection."""

_Item = TypeVar("_Item")


class OwnerCounts:
    """The number of items of each owner."""

    def __init__(self) -> None:
        """Starts without items."""
        self._counts: dict[str, dict[str, int]] = {}
        self._totals: dict[str, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, owner: Owner) -> None:
        """Counts one more item of an owner."""
        name, connection = owner
        counts = self._counts.setdefault(name, {})
        counts[connection] = counts.get(connection, 0) + 1
        self._totals[name] = self._totals.get(name, 0) + 1
        self._size += 1

    def remove(self, owner: Owner) -> None:
        """Counts one item less. The owner must have an item."""
        name, connection = owner
        counts = self._counts[name]
        counts[connection] -= 1
        self._totals[name] -= 1
        self._size -= 1
        if not counts[connection]:
            del counts[connection]
        if not counts:
            del self._counts[name], self._totals[name]

    def has_share(self, owner: Owner, most: int) -> bool:
        """Whether an owner has less than its share of `most` items."""
        name, connection = owner
        part = most / self._callers_with(name)
        if self._totals.get(name, 0) < part:
            return True
        counts = self._counts[name]
        return counts.get(connection, 0) < part / (len(counts) + (connection not in counts))

    def turn_of(self, owner: Owner) -> int:
        """The place of an item that the owner adds now: at most so many items are taken up to and including it."""
        name, connection = owner
        counts = self._counts.get(name, {})
        turn = (counts.get(connection, 0) + 1) * (len(counts) + (connection not in counts))
        return min(self._size, min(self._totals.get(name, 0) + 1, turn) * self._callers_with(name))

    def _callers_with(self, name: str) -> int:
        """The number of callers with items, this one included."""
        return len(self._counts) + (name not in self._counts)


class FairQueue(Generic[_Item]):
    """Items of owners: the callers take turns, and so do the connections of each caller.

    Items of one owner keep their order. Only one thread may use it.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._rounds: dict[str, dict[str, deque[_Item]]] = {}
        self.counts = OwnerCounts()

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, owner: Owner, item: _Item) -> None:
        """Adds an item behind the others of its owner."""
        name, connection = owner
        self._rounds.setdefault(name, {}).setdefault(connection, deque()).append(item)
        self.counts.add(owner)

    def take(self, most: int) -> list[_Item]:
        """Takes at most `most` items, one of each owner in turn. The next call continues with the next owner."""
        return [self._take_next() for _ in range(min(most, len(self)))]

    def _take_next(self) -> _Item:
        name = next(iter(self._rounds))
        queues = self._rounds.pop(name)
        connection = next(iter(queues))
        items = queues.pop(connection)
        item = items.popleft()
        if items:
            queues[connection] = items
        if queues:
            self._rounds[name] = queues
        self.counts.remove((name, connection))
        return item
