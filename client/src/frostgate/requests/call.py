"""The description of a call, and checks of a caller's arguments."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

Answer = TypeVar("Answer")
Item = TypeVar("Item")

RequestId = str | UUID | None
"""A UUID with which a change can be repeated. None, or an empty string: the client makes a new one."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A call: its path, its request, and the function that reads its answer.

    `request_id` is that of a change. It is None for reads, and for changes without one, which are sent only `once`.
    """

    path: str
    request: Message
    response_class: type[Message]
    read: Callable[[Any], Answer]
    request_id: str | None = None
    once: bool = False

    def name(self) -> str:
        """The name of the RPC."""
        return self.path.rpartition("/")[2]

    def page(self, token: str) -> "Call[Answer]":
        """Returns the call for the page of this token."""
        request: Any = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = token
        return replace(self, request=request)


def serialized(request: Message) -> bytes:
    """Returns the request in bytes."""
    return request.SerializeToString()


def list_of(name: str, values: Iterable[Item], kind: type[Item]) -> list[Item]:
    """Returns the items as a list. Raises TypeError for a string, and for items of another type."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list of {kind.__name__}, but is the string {values!r}: write [{values!r}]")
    items = list(values)
    for place, item in enumerate(items):
        if not isinstance(item, kind):
            raise TypeError(f"{name}[{place}] must be a {kind.__name__}, but is {item!r}")
    return items


def timestamp(time: datetime | None) -> Timestamp | None:
    """Converts a time to a message. Raises ValueError for a time without a time zone."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError(f"a time needs a time zone, such as datetime.UTC: {time!r} has none")
    message = Timestamp()
    message.FromDatetime(time)
    return message
