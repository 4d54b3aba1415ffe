"""Kinds for texts, switches, numbers and durations."""

import re
from dataclasses import dataclass
from datetime import timedelta

from .kind import Kind

_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h|d)")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


@dataclass(frozen=True, slots=True)
class Text(Kind[str]):
    """Any text. Empty: none."""

    @property
    def rule(self) -> str:
        return "must be text"

    def read(self, text: str) -> str:
        return text


@dataclass(frozen=True, slots=True)
class Switch(Kind[bool]):
    """On or off: a TOML boolean."""

    @property
    def rule(self) -> str:
        return "must be true or false"

    def read(self, text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError(self.rule)
        return text == "true"

    def show(self, value: bool) -> str:
        return "true" if value else "false"

    def quote(self, value: bool) -> str:
        return self.show(value)


@dataclass(frozen=True, slots=True)
class Number(Kind[int]):
    """A whole number with bounds: a TOML integer."""

    least: int
    most: int

    @property
    def rule(self) -> str:
        return f"must be a number from {self.least} to {self.most}"

    def read(self, text: str) -> int:
        if not (re.fullmatch("[0-9]{1,18}", text) and self.least <= int(text) <= self.most):
            raise ValueError(self.rule)
        return int(text)

    def quote(self, value: int) -> str:
        return self.show(value)


@dataclass(frozen=True, slots=True)
class Duration(Kind[timedelta]):
    """A duration in whole milliseconds, with bounds."""

    most: timedelta
    least: timedelta = timedelta(0)

    @property
    def rule(self) -> str:
        least = f"at least {self.show(self.least)} and " if self.least else ""
        return f"must be a whole number with a unit of ms, s, m, h or d, {least}at most {self.show(self.most)}"

    def read(self, text: str) -> timedelta:
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(self.rule)
        value = int(match["number"]) * _UNITS[match["unit"]]
        if not self.least <= value <= self.most:
            raise ValueError(self.rule)
        return value

    def show(self, value: timedelta) -> str:
        """In the largest unit that needs no fraction. Raises ValueError for fractions of milliseconds."""
        for unit, length in _UNITS.items():
            if value % length == timedelta(0):
                return f"{value // length}{unit}"
        raise ValueError(f"must be a whole number of milliseconds, but is {value}")
