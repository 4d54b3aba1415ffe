"""The methods that the loop serves. Each admits calls and gives them to the thread that answers them."""

from threading import Lock

from frostgate_server.domain.caller import Caller
from frostgate_server.rpc.health import Health
from frostgate_server.rpc.method_handlers import MethodHandler
from frostgate_server.rpc.reply import CALLER_LIMIT_REACHED, OVERLOADED, health_reply
from frostgate_server.rpc.thread_pools import ThreadPool

from .checks import CheckGroups
from .fair_queue import Owner, OwnerCounts
from .limits import CallerLimits, address_of, owner_of
from .unary_call import UnaryCall


class PoolQueue:
    """The calls that one pool has taken and that are not answered yet, up to a limit.

    Calls that wait for the pool count, and so do calls that the pool gave to another thread. Beyond the limit only
    callers with few calls may add more. Answers that their callers have not read yet have a separate limit of the same
    size: beyond it the call with the oldest answer is cut. So a caller with very many calls or a caller that does not
    read cannot keep other callers from being served.
    """

    def __init__(self, pool: ThreadPool, most: int) -> None:
        """Starts without calls."""
        self.pool = pool
        self._most = most
        self._lock = Lock()
        self._calls: dict[UnaryCall, Owner] = {}
        self._counts = OwnerCounts()
        self._unread: dict[UnaryCall, None] = {}

    def has_room(self, owner: Owner) -> bool:
        """Whether one more call of an owner may come. All methods of this class may be called in any thread."""
        calls = len(self._calls)
        if calls < self._most:
            return True
        with self._lock:
            return calls < 2 * self._most and self._counts.has_share(owner, self._most)

    def add(self, call: UnaryCall, owner: Owner) -> None:
        """Counts a call until it is answered."""
        with self._lock:
            self._calls[call] = owner
            self._counts.add(owner)

    def remove(self, call: UnaryCall) -> None:
        """Stops counting a call."""
        with self._lock:
            self._remove(call)

    def on_reply(self, call: UnaryCall) -> None:
        """Marks the answer of a call as unread, if the call was counted."""
        with self._lock:
            if not self._remove(call):
                return
            self._unread[call] = None
            oldest = next(iter(self._unread)) if len(self._unread) > self._most else None
        if oldest is not None:
            oldest.cut()

    def on_end(self, call: UnaryCall) -> None:
        """Removes a call and its unread answer."""
        with self._lock:
            self._remove(call)
            self._unread.pop(call, None)

    def _remove(self, call: UnaryCall) -> bool:
        """Removes a call. Returns whether it was counted."""
        owner = self._calls.pop(call, None)
        if owner is not None:
            self._counts.remove(owner)
        return owner is not None


class PooledMethod:
    """A method whose calls are answered in a pool. Another pool first verifies credentials that are not known yet."""

    def __init__(
        self, handler: MethodHandler, queue: PoolQueue, authentication: PoolQueue, limits: CallerLimits
    ) -> None:
        """Takes the queues of the method's pool and of the pool that verifies credentials."""
        self._handler = handler
        self._queue = queue
        self._authentication = authentication
        self._limits = limits

    def admit(self, call: UnaryCall) -> bool:
        return self._queue.has_room(owner_of(call, self._handler))

    def on_message(self, call: UnaryCall) -> None:
        if not within_limits(self._limits, self._handler, call):
            call.reply(CALLER_LIMIT_REACHED)
            return
        self.give(call, self._handler.find_caller(call))

    def give(self, call: UnaryCall, caller: Caller | None) -> None:
        """Gives a call to the pool, or first to the pool that verifies credentials if its caller is not known yet.

        Until then, the call does not count against the limit of the method's pool.
        """
        owner = owner_of(call, self._handler)
        if not (self._authentication if caller is None else self._queue).has_room(owner):
            call.reply(OVERLOADED)
            return
        call.watch()
        if caller is None:
            self._authentication.add(call, owner)
            self._authentication.pool.submit(self._identify, call)
        else:
            self._run(call, caller, owner)

    def on_reply(self, call: UnaryCall) -> None:
        self._queue.on_reply(call)
        self._authentication.on_reply(call)

    def on_end(self, call: UnaryCall) -> None:
        self._queue.on_end(call)
        self._authentication.on_end(call)
        self._limits.release(call)

    def _identify(self, call: UnaryCall) -> None:
        caller = self._handler.identify(call)
        if caller is None:
            return
        self._authentication.remove(call)
        owner = owner_of(call, self._handler)
        if self._queue.has_room(owner):
            self._run(call, caller, owner)
        else:
            call.reply(OVERLOADED)

    def _run(self, call: UnaryCall, caller: Caller, owner: Owner) -> None:
        self._queue.add(call, owner)
        self._queue.pool.submit(self._handler.run, call, caller, call.message)


class CheckMethod:
    """CheckOperation: the loop answers the calls in groups. Calls that would delay the loop go to the pool."""

    def __init__(self, handler: MethodHandler, groups: CheckGroups, pooled: PooledMethod, limits: CallerLimits) -> None:
        """`pooled` answers the calls that are handed over."""
        self._handler = handler
        self._groups = groups
        self._pooled = pooled
        self._limits = limits
        self._has_limits = bool(limits)

    def admit(self, call: UnaryCall) -> bool:
        return self._groups.has_room(call)

    def on_message(self, call: UnaryCall) -> None:
        if self._has_limits and not within_limits(self._limits, self._handler, call):
            call.reply(CALLER_LIMIT_REACHED)
            return
        self._groups.add(call)

    def on_reply(self, call: UnaryCall) -> None:
        if call.is_watched:
            self._pooled.on_reply(call)

    def on_end(self, call: UnaryCall) -> None:
        if call.is_watched or self._has_limits:
            self._pooled.on_end(call)


class HealthMethod:
    """Health/Check: open to all callers, answered in a pool."""

    def __init__(self, health: Health, queue: PoolQueue) -> None:
        """Takes the queue of the pool that answers."""
        self._health = health
        self._queue = queue

    def admit(self, call: UnaryCall) -> bool:
        return self._queue.has_room(address_of(call))

    def on_message(self, call: UnaryCall) -> None:
        owner = address_of(call)
        if not self._queue.has_room(owner):
            call.reply(OVERLOADED)
            return
        call.watch()
        self._queue.add(call, owner)
        self._queue.pool.run(self._answer, call)

    def on_reply(self, call: UnaryCall) -> None:
        self._queue.on_reply(call)

    def on_end(self, call: UnaryCall) -> None:
        self._queue.on_end(call)

    def _answer(self, call: UnaryCall) -> None:
        call.reply(health_reply(self._health, call.message))


class ProbeMethod:
    """The worker's check of itself: a CheckOperation to which no limit and no queue applies."""

    def __init__(self, groups: CheckGroups) -> None:
        """Takes the groups of checks."""
        self._groups = groups

    def admit(self, _: UnaryCall) -> bool:
        return True

    def on_message(self, call: UnaryCall) -> None:
        self._groups.add_probe(call)

    def on_reply(self, _: UnaryCall) -> None:
        """Does nothing: the call was not counted."""

    def on_end(self, _: UnaryCall) -> None:
        """Does nothing: the call was not counted."""


def within_limits(limits: CallerLimits, handler: MethodHandler, call: UnaryCall) -> bool:
    """Counts a call and returns True if its caller, by principal or address, may make one more. Else returns False."""
    return not limits or limits.admit(owner_of(call, handler)[0], call)
