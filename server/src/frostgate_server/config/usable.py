"""A value made of a file that holds many things: those that cannot be used are passed over, one by one."""

from dataclasses import dataclass
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Usable(Generic[_Value]):
    """The value of all that can be used. `passed_over` has one line for each other thing: its place, and why."""

    value: _Value
    passed_over: tuple[str, ...] = ()
