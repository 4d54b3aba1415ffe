"""The base class of the enums. Values are names; the wire has numbers."""

import re
from enum import StrEnum
from functools import cache
from typing import Any, Self, TypeVar

from .v1 import customer_pb2, error_reason_pb2, partner_pb2, policy_pb2

_UNRECOGNIZED = "UNRECOGNIZED_"
_DESCRIPTORS = {
    name: descriptor
    for file in (customer_pb2, error_reason_pb2, partner_pb2, policy_pb2)
    for name, descriptor in file.DESCRIPTOR.enum_types_by_name.items()
}


class WireEnum(StrEnum):
    """A StrEnum whose members have numbers on the wire.

    A newer server may send a number that this client does not know. It is read as a value such as UNRECOGNIZED_17. This
    value is equal to no member and cannot be sent. A newer client reads UNRECOGNIZED_17 as the member with this number.
    """

    @property
    def number(self) -> int:
        """The number on the wire."""
        number = _members(type(self))[0].get(self)
        return int(self.removeprefix(_UNRECOGNIZED)) if number is None else number

    @classmethod
    def from_number(cls, number: int) -> Self:
        """The member with this number, or UNRECOGNIZED_ and the number."""
        member = _members(cls)[1].get(number)
        return cls._unrecognized(number) if member is None else member

    def __reduce_ex__(self, _: object) -> tuple[type[Self], tuple[str]]:
        """Pickles and copies by value, because an unknown number has no attribute in the class."""
        return type(self), (self.value,)

    @classmethod
    def _missing_(cls, value: object) -> Self:
        number = _unknown_number(value)
        if number is None:
            raise ValueError(f"{value!r} is not a name of {cls.__name__}: the names are {', '.join(cls)}")
        return cls.from_number(number)

    @classmethod
    def _unrecognized(cls, number: int) -> Self:
        name = f"{_UNRECOGNIZED}{number}"
        value = str.__new__(cls, name)
        value._name_ = value._value_ = name
        return value


_Enum = TypeVar("_Enum", bound=WireEnum)


def number_to_send(argument: str, value: _Enum, enum: type[_Enum]) -> Any:
    """Returns the number of a caller's argument, which may be a member or its name.

    Raises TypeError or ValueError with the name of the argument if the value is neither.
    """
    if type(value) not in {enum, str}:
        raise TypeError(f"{argument} must be a member of {enum.__name__}, but is {value!r}")
    if value not in enum.__members__:
        raise ValueError(
            f"{argument} must be a member of {enum.__name__} that this client knows ({', '.join(enum)}), "
            f"but is {str(value)!r}"
        )
    return enum(value).number


@cache
def _members(enum: type[_Enum]) -> tuple[dict[str, int], dict[int, _Enum]]:
    """The numbers by name, and the members by number."""
    values = _DESCRIPTORS[enum.__name__].values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    numbers = {value.name.removeprefix(prefix): value.number for value in values if value.number}
    return numbers, {number: enum(name) for name, number in numbers.items()}


def _unknown_number(value: object) -> int | None:
    """Returns the number of a value such as UNRECOGNIZED_17, and None for other values."""
    if not isinstance(value, str):
        return None
    found = re.fullmatch(f"{_UNRECOGNIZED}(-?[0-9]+)", value)
    return int(found[1]) if found else None
