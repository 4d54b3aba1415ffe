"""The interface of a dispatch: what takes the calls of a server and gives them to handlers. `loop.dispatch` is the
usual one, `grpcio_dispatch` the plain way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from frostgate_server.auth.interface import Authenticator

from .health import Health
from .method_handlers import MethodHandler
from .policy_decision_servicer import PolicyDecisionServicer
from .reflection import Reflection
from .thread_pools import ThreadPools, Throttle


@dataclass(frozen=True, slots=True)
class ServedMethods:
    """All that a server serves.

    `handlers` are by path. `reflection` is None where it is off; `reflection_for` permits its callers, None: anyone.
    `probe_path` is the method at which the worker checks itself: nobody else knows it.
    """

    worker: int
    handlers: Mapping[str, MethodHandler]
    decisions: PolicyDecisionServicer
    health: Health
    reflection: Reflection | None
    reflection_for: Authenticator | None
    probe_path: str
    pools: ThreadPools
    throttle: Throttle


class Dispatch(Protocol):
    """Takes the calls of one `grpc.server`. Made before the server starts."""

    def start(self) -> None:
        """Takes calls. The server has started."""

    def count_turns(self) -> int:
        """The turns of its thread so far: one that is stuck makes none."""

    def drain(self) -> None:
        """Ends streams and calls of which nothing was begun. Those under way go on."""

    def is_idle(self) -> bool:
        """Whether it knows that no call is under way."""

    def end(self, seconds: float) -> bool:
        """Ends once no call is left. The server has stopped. False if some calls do not end in time."""
