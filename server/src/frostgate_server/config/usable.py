"""A value that is parsed from a file of many items: items that cannot be used are ignored, one by one."""

from dataclasses import dataclass
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Usable(Generic[_Value]):
    """The value of the usable items. `passed_over` has one line for each ignored item: its place and the reason."""

    value: _Value
    passed_over: tuple[str, ...] = ()
