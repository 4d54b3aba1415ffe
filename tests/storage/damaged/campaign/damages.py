"""The kinds of damage: flipped bits, zeroed, swapped and older pages of trees, and damage to the files as a whole."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.damaged.pages import PAGE_SIZE

from .prepared import TREES, Prepared


@dataclass(frozen=True)
class Damage:
    """Bytes that are written into a file of a database, or where it is cut. `kind` and `where` are for the result."""

    kind: str
    where: str
    ending: str = ""
    writes: tuple[tuple[int, bytes], ...] = ()
    cut: int | None = None

    def do(self, database: Path) -> None:
        """Damages a database, also one that is served."""
        path = database.with_name(database.name + self.ending)
        with path.open("rb+", buffering=0) as file:
            for place, content in self.writes:
                os.pwrite(file.fileno(), content, place)
            if self.cut is not None:
                file.truncate(self.cut)


Make = Callable[[Prepared, random.Random], Damage]


def _page(path: Path, number: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), PAGE_SIZE, (number - 1) * PAGE_SIZE)


def _flipped(content: bytes, chance: random.Random, bits: int) -> bytes:
    damaged = bytearray(content)
    for _ in range(bits):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _in_tree(kind: str, tree: str, *pages: tuple[int, bytes]) -> Damage:
    return Damage(kind, tree, writes=tuple(((number - 1) * PAGE_SIZE, content) for number, content in pages))


def flip(prepared: Prepared, chance: random.Random) -> Damage:
    """One bit."""
    tree = chance.choice(TREES)
    number = chance.choice(prepared.pages[tree])
    return _in_tree("flip", tree, (number, _flipped(_page(prepared.closed, number), chance, 1)))


def flip_header(prepared: Prepared, chance: random.Random) -> Damage:
    """One bit of the header of a page, or of the places of its cells."""
    tree = chance.choice(TREES)
    number = chance.choice(prepared.pages[tree])
    content = _page(prepared.closed, number)
    return _in_tree("flip in a header", tree, (number, _flipped(content[:40], chance, 1) + content[40:]))


def zero(prepared: Prepared, chance: random.Random) -> Damage:
    """A page, or the second half of one, as after a write that was torn."""
    tree = chance.choice(TREES)
    number = chance.choice(prepared.pages[tree])
    kept = chance.choice([0, PAGE_SIZE // 2])
    return _in_tree("zero", tree, (number, _page(prepared.closed, number)[:kept].ljust(PAGE_SIZE, b"\0")))


def swap(prepared: Prepared, chance: random.Random) -> Damage:
    """Two pages of one tree."""
    tree = chance.choice([name for name in TREES if len(prepared.pages[name]) > 1])
    one, other = chance.sample(prepared.pages[tree], 2)
    return _in_tree("swap", tree, (one, _page(prepared.closed, other)), (other, _page(prepared.closed, one)))


def older(prepared: Prepared, chance: random.Random) -> Damage:
    """A page as it was before the last changes."""
    tree = chance.choice([name for name in TREES if prepared.changed[name]])
    number = chance.choice(prepared.changed[tree])
    return _in_tree("older", tree, (number, _page(prepared.older, number)))


IN_TREES: tuple[Make, ...] = (flip, flip_header, zero, swap, older)


def any_page(prepared: Prepared, chance: random.Random) -> Damage:
    """A bit or a page anywhere in the database, behind its header."""
    number = chance.randint(2, prepared.size)
    content = _page(prepared.closed, number)
    damaged = chance.choice([_flipped(content, chance, 1), _flipped(content, chance, 16), bytes(PAGE_SIZE)])
    return _in_tree("any page", "anywhere", (number, damaged))


def cut(prepared: Prepared, chance: random.Random) -> Damage:
    """The end of the database."""
    return Damage("cut", "database", cut=chance.randrange(prepared.size) * PAGE_SIZE + chance.choice([0, 0, 100]))


def cut_file(ending: str) -> Make:
    """The end of a file beside the database."""
    return lambda prepared, chance: Damage("cut", ending, ending, cut=chance.randrange(_size(prepared.crashed, ending)))


def flip_file(ending: str) -> Make:
    """A few bits of a file beside the database."""

    def make(prepared: Prepared, chance: random.Random) -> Damage:
        place = chance.randrange(_size(prepared.crashed, ending))
        return Damage("flip", ending, ending, writes=((place, chance.randbytes(chance.choice([1, 1, 8]))),))

    return make


def _size(database: Path, ending: str) -> int:
    return database.with_name(database.name + ending).stat().st_size


OF_FILES: tuple[Make, ...] = (
    *(any_page, cut, any_page, cut_file("-wal"), any_page, flip_file("-head")),
    *(any_page, flip_file("-wal"), any_page, cut_file("-head")),
    *(any_page,) * 7,
)
"""A server may refuse to start on a damaged or shortened file as a whole."""
