"""The database of the damage campaign: closed, as a crash left it, and as it was before its last changes."""

import shutil
from contextlib import closing
from pathlib import Path

from benchmarks.fill import ID_FORMAT, STATES, filled_database
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.storage.sqlite.opening import open_store
from storage.damaged.pages import Pages
from support.subjects import ServiceSubject

TREES = ("customers", "customers_of_partner", "events", "events_of_customer", "events_of_partner", "events_by_time")
"""The trees of customers and events."""

_AT_ONCE = 500


class Prepared:
    """`frozen` are the customers that must never be allowed anything. `pages` are the pages of each tree."""

    def __init__(self, directory: Path, customers: int) -> None:
        """Makes the database in a new directory. It takes a minute for 100,000 customers."""
        self.older = directory / "older" / "frostgate.db"
        self.closed = directory / "closed" / "frostgate.db"
        self.crashed = directory / "crashed" / "frostgate.db"
        filled = filled_database(directory / "filled", customers)
        for path in (self.older, self.closed):
            _copy(filled, path)
        normal = [ID_FORMAT % number for number in range(0, customers, STATES)]
        frozen_late = normal[::2]
        with closing(open_store(self.closed, create=False)) as store:
            subject = ServiceSubject(store)
            for start in range(0, len(frozen_late), _AT_ONCE):
                subject.freeze_all(frozen_late[start : start + _AT_ONCE], FreezeScope.ACCOUNT)
            _copy(self.closed, self.crashed)
        self.frozen = sorted({ID_FORMAT % number for number in range(customers)} - set(normal[1::2]))
        pages = Pages(self.closed)
        self.size = len(pages)
        self.pages = {name: pages.tree(name) for name in TREES}
        self.changed = {name: self._changed(numbers) for name, numbers in self.pages.items()}

    def _changed(self, numbers: list[int]) -> list[int]:
        """Those pages that were other ones before the last changes."""
        newer, older = Pages(self.closed), Pages(self.older)
        return [
            number
            for number in numbers
            if number <= len(older) and newer.content[newer.page(number)] != older.content[older.page(number)]
        ]


def copy_database(database: Path, directory: Path) -> Path:
    """A copy of a database and the files beside it, without those that another process makes anew."""
    return _copy(database, directory / "frostgate.db")


def _copy(database: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    for ending in ("", "-wal", "-head"):
        source = database.with_name(database.name + ending)
        if source.exists():
            shutil.copy(source, to.with_name(to.name + ending))
    return to
