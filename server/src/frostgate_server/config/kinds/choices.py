"""Kinds with a fixed set of words."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from .kind import Kind

_E = TypeVar("_E", bound=Enum)


@dataclass(frozen=True, slots=True, init=False)
class Choice(Kind[str]):
    """One of some words."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    @property
    def rule(self) -> str:
        return f"must be {_alternatives(self.words)}"

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(self.rule)
        return text


@dataclass(frozen=True, slots=True, init=False)
class MemberChoice(Kind[_E]):
    """One of some members of an enum, by its name in lower case."""

    members: tuple[_E, ...]

    def __init__(self, *members: _E) -> None:
        object.__setattr__(self, "members", members)

    @property
    def rule(self) -> str:
        return f"must be {_alternatives(map(self.show, self.members))}"

    def read(self, text: str) -> _E:
        for member in self.members:
            if self.show(member) == text:
                return member
        raise ValueError(self.rule)

    def show(self, value: _E) -> str:
        return value.name.lower()


@dataclass(frozen=True, slots=True, init=False)
class Choices(Kind[tuple[str, ...]]):
    """One or more of some words, with commas between. A repeated word counts once."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    @property
    def rule(self) -> str:
        return f"must be one or more of {', '.join(self.words)}, separated by commas"

    def read(self, text: str) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
        if not set(chosen) <= set(self.words):
            raise ValueError(self.rule)
        return chosen

    def show(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


def _alternatives(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
