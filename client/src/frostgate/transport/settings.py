"""The settings of a connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from frostgate.errors import Unavailable

from .metadata import Metadata
from .token_file import TokenFile

PROBE = "/grpc.health.v1.Health/Check"
"""A call that changes nothing. Every caller may make it."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The arguments of gRPC's channel, and the headers of its calls. Without credentials it is plaintext.

    The interceptors are those of grpc for the synchronous client, and those of grpc.aio for the asynchronous one.
    """

    target: str
    credentials: grpc.ChannelCredentials | None
    options: Sequence[tuple[str, Any]]
    token_file: TokenFile | None = None
    metadata: Metadata = ()
    interceptors: Sequence[Any] = ()

    def call_metadata(self) -> Metadata:
        """Returns the metadata for the next call. Raises Unauthenticated if there is no token."""
        return self.metadata if self.token_file is None else (*self.metadata, self.token_file.header())


def time_to_ask(timeout: float) -> float:
    """Returns the seconds at the end of a call in which the client asks gRPC why there is no connection."""
    return min(0.1, timeout / 5)


def not_connected(target: str, reason: str) -> Unavailable:
    """Returns the error of a call without a connection. `reason` is gRPC's message."""
    return Unavailable(
        f"no connection to {target}: {reason or 'it was not ready in time'}",
        code=grpc.StatusCode.UNAVAILABLE,
        sent=False,
    )
