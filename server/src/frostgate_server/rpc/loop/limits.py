"""Limits on the calls of each caller: calls at once and calls per second."""

from time import monotonic

from frostgate_server.config.limit_settings import LimitSettings
from frostgate_server.rpc.method_handlers import MethodHandler

from .fair_queue import Owner
from .unary_call import UnaryCall

_MOST_IDLE = 10_000
"""The number of callers with a stored rate above which the rates of callers without recent calls are deleted."""


class CallerLimits:
    """Counts the calls of each caller, by principal or, for anonymous callers, by address.

    Only the loop's thread uses it.
    """

    def __init__(self, limits: LimitSettings) -> None:
        """Starts without calls."""
        self._most_in_flight = limits.caller_calls_in_flight
        self._per_second = limits.caller_calls_per_second
        self._in_flight: dict[str, int] = {}
        self._owners: dict[UnaryCall, str] = {}
        self._allowances: dict[str, tuple[float, float]] = {}

    def __bool__(self) -> bool:
        """Whether any limit is set."""
        return bool(self._most_in_flight or self._per_second)

    def admit(self, owner: str, call: UnaryCall) -> bool:
        """Counts a call and returns True if its caller may make one more. Else returns False."""
        in_flight = self._in_flight.get(owner, 0)
        if self._most_in_flight and in_flight >= self._most_in_flight:
            return False
        if self._per_second and not self._take_allowance(owner):
            return False
        self._in_flight[owner] = in_flight + 1
        self._owners[call] = owner
        return True

    def release(self, call: UnaryCall) -> None:
        """Counts a call as ended, if it was admitted."""
        owner = self._owners.pop(call, None)
        if owner is None:
            return
        self._in_flight[owner] -= 1
        if not self._in_flight[owner]:
            del self._in_flight[owner]

    def _take_allowance(self, owner: str) -> bool:
        """Takes one call from the caller's allowance. It grows with time, up to the calls of one second."""
        now = monotonic()
        if len(self._allowances) > _MOST_IDLE:
            self._allowances = {name: kept for name, kept in self._allowances.items() if now - kept[1] < 1}
        allowance, moment = self._allowances.get(owner, (float(self._per_second), now))
        allowance = min(self._per_second, allowance + (now - moment) * self._per_second)
        if allowance < 1:
            self._allowances[owner] = allowance, now
            return False
        self._allowances[owner] = allowance - 1, now
        return True


def owner_of(call: UnaryCall, handler: MethodHandler) -> Owner:
    """The owner of a call: the principal, or the address if the principal is not known, and the connection."""
    principal = handler.find_principal(call)
    return (principal, call.peer()) if principal else address_of(call)


def address_of(call: UnaryCall) -> Owner:
    """The owner of a call by address and connection."""
    peer = call.peer()
    return peer.rpartition(":")[0], peer
