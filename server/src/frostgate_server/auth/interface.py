"""Who lets callers in, as handlers and streams know it; and the door of servers where everybody may come in."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from frostgate_server.domain.caller import Caller

Metadata = Sequence[tuple[str, str | bytes]] | None
Connection = Mapping[str, Any]
"""What gRPC knows of a call's connection: names, each with a sequence of bytes."""


class Call(Protocol):
    """What is looked at of a call."""

    def auth_context(self) -> Connection:
        """Of its connection."""

    def invocation_metadata(self) -> Metadata:
        """Its headers."""

    def is_active(self) -> bool:
        """Whether its caller still waits."""


class Door(Protocol):
    """Finds out who calls."""

    def caller(self, call: Call, method: str) -> Caller:
        """Raises Unauthenticated, PermissionDenied, or Overloaded if there was no time to find out."""

    def admission(self, call: Call, method: str) -> "Admission":
        """The same for a stream, to be asked again while it is open."""


class Admission(Protocol):
    """A stream's right to be open."""

    def ensure_holds(self) -> None:
        """Raises Unauthenticated or PermissionDenied if it has ended."""


class OpenDoor:
    """For servers without callers: everybody is anonymous, and may do all."""

    def caller(self, call: Call, _: str) -> Caller:
        """Anybody."""
        return Caller(waits=call.is_active)

    def admission(self, _: Call, __: str) -> Admission:
        """For ever."""
        return self

    def ensure_holds(self) -> None:
        """It does."""
