"""The composition root: puts the server of one worker together from its parts."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import grpc
from frostgate.v1 import customer_freeze_service_pb2, policy_decision_service_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from .code_gate import CodeGate
from .codes import Limits
from .customer_freeze_servicer import CustomerFreezeServicer
from .decisions import DecisionService
from .errors import StartupError
from .handlers import add_service
from .lanes import Lanes, open_lanes
from .mail import mailer_of
from .orders import Orders
from .partner_service import PartnerService
from .policy_decision_servicer import PolicyDecisionServicer
from .reflection import add_reflection
from .service import FreezeService
from .settings import Settings
from .sqlite_store import join_store
from .store import Store

LARGEST_REQUEST = 512 * 1024
"""Bytes of a request message: gRPC itself refuses more, with RESOURCE_EXHAUSTED."""

CALLS_OF_A_CONNECTION = 128
"""At once; more wait at the caller. Bounds what a caller who reads no answers can make the server hold."""

DRAIN_GRACE = timedelta(seconds=5)
"""Beyond the drain period, for calls that are being ended."""

_DECISIONS = policy_decision_service_pb2.DESCRIPTOR.services_by_name["PolicyDecisionService"]
_FREEZES = customer_freeze_service_pb2.DESCRIPTOR.services_by_name["CustomerFreezeService"]


@dataclass(frozen=True, slots=True)
class App:
    """A server that listens."""

    _server: grpc.Server
    _health: HealthServicer
    _lanes: Lanes
    _store: Store

    def drain(self, period: timedelta) -> None:
        """Stops: says NOT_SERVING, takes no new calls, lets those under way end within `period`, lets go of all."""
        self._health.enter_graceful_shutdown()
        self._server.stop(period.total_seconds()).wait((period + DRAIN_GRACE).total_seconds())
        for lane in self._lanes.values():
            lane.shutdown(cancel_futures=True)
        self._store.close()


def start(orders: Orders) -> App:
    """Builds the server, joins its database and listens. Raises StartupError with one line that says why not."""
    with ExitStack() as undo:
        lanes = open_lanes(orders.settings.check_threads)
        store = join_store(orders.database, around_group=lanes["checks"].given_way)
        undo.callback(store.close)
        server, health = _server(orders, store, lanes)
        for address in orders.listeners:
            _listen(server, address)
        server.start()
        undo.pop_all()
    return App(server, health, lanes, store)


def _server(orders: Orders, store: Store, lanes: Lanes) -> tuple[grpc.Server, HealthServicer]:
    """A server with all its services."""
    server = grpc.server(
        lanes["health"],
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.max_concurrent_streams", CALLS_OF_A_CONNECTION),
        ],
    )
    decisions = PolicyDecisionServicer(DecisionService(store), orders.policy)
    gate = CodeGate(store, orders.code_key, _limits(orders.settings))
    freezes = CustomerFreezeServicer(
        FreezeService(store, gate, refusals, orders.settings.retention_period),
        PartnerService(store, gate, mailer_of(orders.settings)),
    )
    add_service(server, _DECISIONS, decisions, lanes, str(orders.number))
    add_service(server, _FREEZES, freezes, lanes, str(orders.number))
    add_reflection(server, [_DECISIONS.full_name, _FREEZES.full_name, HEALTH], lanes)
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    for service in (_DECISIONS, _FREEZES):
        health.set(service.full_name, HealthCheckResponse.SERVING)
    return server, health


def _limits(settings: Settings) -> Limits:
    return Limits(settings.code_lifetime, settings.code_tries, settings.code_failures, settings.code_sendings)


def _listen(server: grpc.Server, address: str) -> None:
    """Listens beside the other workers. Raises StartupError."""
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {address}: {error}") from error
