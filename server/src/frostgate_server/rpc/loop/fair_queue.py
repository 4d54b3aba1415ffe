"""Owners share what is limited, and take turns: one with many items does not keep those with few waiting.

An owner has two names: that of a caller, and that of one of its connections. All callers have equal parts, and so have
the connections of one caller.
"""

from collections import deque
from typing import Generic, TypeVar

Owner = tuple[str, str]
"""The name of a caller, and of a connection."""

_Item = TypeVar("_Item")


class OwnerCounts:
    """The number of items of each owner."""

    def __init__(self) -> None:
        """No items."""
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
        """Counts one item less. The owner must have one."""
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
        """Whether an owner has less than its part of so many items."""
        name, connection = owner
        part = most / self._callers_with(name)
        if self._totals.get(name, 0) < part:
            return True
        counts = self._counts[name]
        return counts.get(connection, 0) < part / (len(counts) + (connection not in counts))

    def turn_of(self, owner: Owner) -> int:
        """The most items that are taken in turn before one that the owner adds now."""
        name, connection = owner
        counts = self._counts.get(name, {})
        turn = (counts.get(connection, 0) + 1) * (len(counts) + (connection not in counts))
        return min(self._size, min(self._totals.get(name, 0) + 1, turn) * self._callers_with(name))

    def _callers_with(self, name: str) -> int:
        """The number of callers with items, if this one has items too."""
        return len(self._counts) + (name not in self._counts)


class FairQueue(Generic[_Item]):
    """Items of owners: turns go round the callers, and within one of them round its connections.

    Items of one owner keep their order. For one thread.
    """

    def __init__(self) -> None:
        """Empty."""
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
        """At most so many items, one of each owner in turn. The next call goes on with the owner whose turn is next."""
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
