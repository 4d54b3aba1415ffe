"""Serves with the loop: checks on its own thread, other unary calls in thread pools, streams without threads."""

import grpc

from frostgate_server.config.limit_settings import LimitSettings
from frostgate_server.rpc.dispatch import ServedMethods
from frostgate_server.rpc.health import SERVICE as HEALTH
from frostgate_server.rpc.method_handlers import WORKER_METADATA_KEY, MethodHandler
from frostgate_server.rpc.methods import PoolName
from frostgate_server.rpc.reflection import METHOD, V1, V1ALPHA
from frostgate_server.storage.interface import Store

from .checks import CheckGroups
from .limits import CallerLimits
from .methods import CheckMethod, HealthMethod, PooledMethod, PoolQueue, ProbeMethod
from .server_loop import ServerLoop
from .streams import HealthWatches, ReflectionStreams

CHECK_PATH = "/frostgate.v1.PolicyDecisionService/CheckOperation"

HEALTH_CHECK_PATH = f"/{HEALTH.full_name}/Check"
HEALTH_WATCH_PATH = f"/{HEALTH.full_name}/Watch"

MOST_WATCHES = 1000
"""The most streams of health at once."""

MOST_REFLECTIONS = 100
"""The most streams of reflection at once, of both versions together."""

_MOST_WAITING: dict[PoolName, int] = {"bulk": 200, "lists": 200, "mail": 100, "authentication": 500, "health": 200}
"""The most calls in a pool, for the pools whose limit is not a setting."""


class LoopDispatch:
    """Serves all methods with a ServerLoop."""

    def __init__(self, server: grpc.Server, served: ServedMethods, limits: LimitSettings, store: Store) -> None:
        """Calls the store in the loop's thread: reads it without waiting, and withdraws its overdue changes."""
        most = {**_MOST_WAITING, "checks": limits.max_waiting_checks, "changes": limits.max_waiting_changes}
        self._queues = {name: PoolQueue(served.pools[name], most[name]) for name in most}
        self._limits = CallerLimits(limits)
        check_handler = served.handlers[CHECK_PATH]
        handed_over = self._pooled(check_handler)
        checks = CheckGroups(check_handler, served.decisions, handed_over.give, limits.max_waiting_checks)
        self._loop = ServerLoop(server, (WORKER_METADATA_KEY, str(served.worker)), checks, store.read_without_waiting)
        self._loop.add_tick(store.withdraw_overdue)
        served.throttle.count = checks.count_answered
        for path, handler in served.handlers.items():
            if path != CHECK_PATH:
                self._loop.add_unary(path, self._pooled(handler))
        self._loop.add_unary(CHECK_PATH, CheckMethod(check_handler, checks, handed_over, self._limits))
        self._loop.add_unary(HEALTH_CHECK_PATH, HealthMethod(served.health, self._queues["health"]))
        watches = HealthWatches(served.health, served.pools["health"])
        self._loop.add_stream(HEALTH_WATCH_PATH, watches, MOST_WATCHES)
        if served.reflection is not None:
            streams = ReflectionStreams(served.reflection, served.pools["reflection"], served.reflection_for)
            for name in (V1, V1ALPHA):
                self._loop.add_stream(f"/{name}/{METHOD}", streams, MOST_REFLECTIONS)
        self._loop.add_unary(served.probe_path, ProbeMethod(checks))

    def _pooled(self, handler: MethodHandler) -> PooledMethod:
        return PooledMethod(handler, self._queues[handler.row.pool], self._queues["authentication"], self._limits)

    def start(self) -> None:
        self._loop.start()

    def count_turns(self) -> int:
        return self._loop.turns

    def drain(self) -> None:
        self._loop.drain()

    def is_idle(self) -> bool:
        return self._loop.is_idle()

    def end(self, seconds: float) -> bool:
        return self._loop.end(seconds)
