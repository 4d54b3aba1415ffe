"""The pages of an SQLite file, which must have no -wal: which page belongs to which tree, and what its cells hold.

The format is that of https://www.sqlite.org/fileformat2.html.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from frostgate_server.storage.sqlite.driver import sqlite3

PAGE_SIZE = 4096

_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX = 2, 5, 10
_INTERIOR = {_INTERIOR_INDEX, _INTERIOR_TABLE}
_INDEX = {_INTERIOR_INDEX, _LEAF_INDEX}
_FIRST_TEXT = 13
"""The serial type of an empty text. That of a text of n bytes is 2 n higher."""


@dataclass(frozen=True)
class Cell:
    """A cell of an index, or of a table without rowids: the places of its bytes, and the text of its first column."""

    number: int
    start: int
    header: int
    key_start: int
    key: str


class Pages:
    """The pages of a file in memory. Pages are numbered from 1."""

    def __init__(self, path: Path) -> None:
        """Reads the file. Its page size is PAGE_SIZE."""
        self.path = path
        self.content = bytearray(path.read_bytes())
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()
        self.roots: dict[str, int] = dict(rows)

    def __len__(self) -> int:
        return len(self.content) // PAGE_SIZE

    def write(self) -> None:
        """Puts the pages back into the file, which is the same one afterwards."""
        with self.path.open("rb+") as file:
            file.write(self.content)

    def tree(self, name: str) -> list[int]:
        """The pages of a table or index, without those that only hold the ends of long rows."""
        found, waiting = [], [self.roots[name]]
        while waiting:
            page = waiting.pop()
            found.append(page)
            waiting += self._children(page)
        return found

    def leaves(self, name: str) -> list[int]:
        """Those pages of a tree that have no children."""
        return [page for page in self.tree(name) if self._type(page) not in _INTERIOR]

    def cells(self, page: int) -> Iterator[Cell]:
        """The cells of a page of an index, or of a table without rowids, in their order."""
        assert self._type(page) in _INDEX
        for number, start in enumerate(self._pointers(page)):
            place = start + (4 if self._type(page) == _INTERIOR_INDEX else 0)
            _, header = self._varint(place)
            size, place = self._varint(header)
            serial, _ = self._varint(place)
            key_start = header + size
            key = self.content[key_start : key_start + (serial - _FIRST_TEXT) // 2].decode()
            yield Cell(number, start, header, key_start, key)

    def find(self, name: str, key: str) -> tuple[int, Cell]:
        """The page and the cell that hold a key."""
        for page in self.tree(name):
            for cell in self.cells(page):
                if cell.key == key:
                    return page, cell
        raise KeyError(key)

    def page(self, number: int) -> slice:
        """Where a page is in the content."""
        return slice((number - 1) * PAGE_SIZE, number * PAGE_SIZE)

    def hide(self, page: int, cell: Cell) -> None:
        """Takes a cell out of a leaf, as a page does that never had it."""
        assert self._type(page) not in _INTERIOR
        header = self._header(page)
        count = self._number(header + 3)
        pointers, hidden = header + 8, header + 8 + 2 * cell.number
        self.content[hidden : pointers + 2 * count] = self.content[hidden + 2 : pointers + 2 * count] + b"\0\0"
        self.content[header + 3 : header + 5] = (count - 1).to_bytes(2, "big")

    def _header(self, page: int) -> int:
        return (page - 1) * PAGE_SIZE + (100 if page == 1 else 0)

    def _type(self, page: int) -> int:
        return self.content[self._header(page)]

    def _number(self, place: int, size: int = 2) -> int:
        return int.from_bytes(self.content[place : place + size], "big")

    def _pointers(self, page: int) -> Iterator[int]:
        header = self._header(page)
        first = header + (12 if self._type(page) in _INTERIOR else 8)
        for number in range(self._number(header + 3)):
            yield (page - 1) * PAGE_SIZE + self._number(first + 2 * number)

    def _children(self, page: int) -> list[int]:
        if self._type(page) not in _INTERIOR:
            return []
        return [*(self._number(start, 4) for start in self._pointers(page)), self._number(self._header(page) + 8, 4)]

    def _varint(self, place: int) -> tuple[int, int]:
        """A number of at most 8 bytes, and the place after it."""
        value = 0
        while True:
            byte = self.content[place]
            value, place = value << 7 | byte & 0x7F, place + 1
            if byte < 0x80:
                return value, place
