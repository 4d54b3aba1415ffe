"""The interface of a dispatch, which takes the calls of a server and gives them to handlers. `loop.dispatch` is the
default. `grpcio_dispatch` is the fallback."""

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
    """The methods of a server, and the objects that they need.

    `handlers` maps paths to handlers. `reflection` is None if reflection is off. `reflection_for` permits the callers
    of reflection; None permits all. `probe_path` is the method at which the worker checks itself: only the worker knows
    it.
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
    """Takes the calls of one `grpc.server`. Create it before the server starts."""

    def start(self) -> None:
        """Starts to take calls. The server must have started."""

    def count_turns(self) -> int:
        """The number of turns of its thread so far. A thread that is stuck makes none."""

    def drain(self) -> None:
        """Ends streams, and unary calls whose request has not arrived. Other calls go on."""

    def is_idle(self) -> bool:
        """True only if the dispatch knows that no call is in progress."""

    def end(self, seconds: float) -> bool:
        """Waits until no call is left. The server must have stopped. Returns False if some calls do not end in time."""
