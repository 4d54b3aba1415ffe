"""The base class of all kinds, and the kind that adds a text for None to another kind."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Kind(ABC, Generic[_T]):
    """A kind of setting, whose values are of one type."""

    __slots__ = ()

    @property
    @abstractmethod
    def rule(self) -> str:
        """The rule for a text of this kind: the message of the error if a text breaks it."""

    @abstractmethod
    def read(self, text: str) -> _T:
        """The value of a text. Raises ValueError with the rule."""

    def show(self, value: _T) -> str:
        """The value as the text that `read` takes."""
        return str(value)

    def quote(self, value: _T) -> str:
        """The value as a TOML value: a string, if the kind has no TOML type of its own."""
        return quote_text(self.show(value))


@dataclass(frozen=True, slots=True)
class Optional(Kind[_T | None]):
    """A value of another kind, or None. `none` is the text that stands for None."""

    kind: Kind[_T]
    none: str = ""

    @property
    def rule(self) -> str:
        return f"{self.kind.rule}, or {self.none}" if self.none else self.kind.rule

    def read(self, text: str) -> _T | None:
        if text == self.none:
            return None
        try:
            return self.kind.read(text)
        except ValueError:
            raise ValueError(self.rule) from None

    def show(self, value: _T | None) -> str:
        return self.none if value is None else self.kind.show(value)


def quote_text(text: str) -> str:
    """A TOML basic string."""
    # JSON strings are TOML strings, except that TOML also escapes DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
