"""A value that is parsed from a file of many items: items that cannot be used are ignored, one by one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

_Value = TypeVar("_Value")

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Validity:
    """The time from `start` to `end` (UTC) in which an item, named by its place in the file, is valid."""

    place: str
    start: datetime
    end: datetime

    def problem(self, now: datetime) -> str | None:
        """Why the item is not valid now. None if it is."""
        if now > self.end:
            return f"{self.place} expired at {self.end:{_TIME_FORMAT}}"
        if now < self.start:
            return f"{self.place} is not valid before {self.start:{_TIME_FORMAT}}"
        return None


@dataclass(frozen=True, slots=True)
class Usable(Generic[_Value]):
    """The value of the usable items.

    `passed_over` has one line for each ignored item: its place and the reason. `validities` has one entry for each item
    that expires.
    """

    value: _Value
    passed_over: tuple[str, ...] = ()
    validities: tuple[Validity, ...] = ()
