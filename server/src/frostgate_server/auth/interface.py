"""The interface of authentication, and its implementation for servers without callers."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Protocol

from frostgate_server.domain.caller import Caller
from frostgate_server.domain.roles import Role

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

    def peer(self) -> str:
        """The other end of its connection, as gRPC names it: a kind, and a URL-encoded address. It may have none."""


class Authenticator(Protocol):
    """Finds out who calls."""

    def authenticate(self, call: Call, method: str, roles: Set[Role]) -> Caller:
        """The caller, if it has one of the roles.

        Raises Unauthenticated, MethodNotPermitted, or Overloaded if there was no time to find out.
        """

    def find_known(self, call: Call, roles: Set[Role]) -> Caller | None:
        """The caller, if its credential was verified before and it has one of the roles. Never waits or raises."""

    def permit_stream(self, call: Call, method: str, roles: Set[Role]) -> "StreamPermit":
        """The same for a stream, to be asked again while it is open."""


class StreamPermit(Protocol):
    """A stream's right to be open."""

    def ensure_holds(self) -> None:
        """Raises Unauthenticated or MethodNotPermitted if it has ended."""


class AnonymousAuthenticator:
    """For servers without callers: every caller is anonymous and may call everything."""

    def authenticate(self, call: Call, _: str, __: Set[Role]) -> Caller:
        """Anybody."""
        return Caller(waits=call.is_active)

    def find_known(self, call: Call, _: Set[Role]) -> Caller | None:
        """Anybody."""
        return Caller(waits=call.is_active)

    def permit_stream(self, _: Call, __: str, ___: Set[Role]) -> StreamPermit:
        """For ever."""
        return self

    def ensure_holds(self) -> None:
        """It does."""
