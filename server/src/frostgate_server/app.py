"""The composition root: puts a server together from its parts. Only the command line and the tests come here."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import grpc
from frostgate.v1 import customer_freeze_service_pb2, policy_decision_service_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from . import policy_file
from .customer_freeze_servicer import CustomerFreezeServicer
from .decisions import DecisionService
from .errors import StartupError
from .handlers import add_service
from .lanes import Lanes, open_lanes
from .policy import Policy
from .policy_decision_servicer import PolicyDecisionServicer
from .reflection import add_reflection
from .service import FreezeService
from .setting_values import is_loopback
from .settings import Configuration, Settings
from .sqlite_store import Claim, claim_database, open_store
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
    """A server that listens. `address` is where, with the port that was really taken."""

    address: str
    policy: Policy
    revision: int
    _server: grpc.Server
    _health: HealthServicer
    _lanes: Lanes
    _store: Store
    _claim: Claim

    def drain(self, period: timedelta) -> None:
        """Stops: says NOT_SERVING, takes no new calls, lets those under way end within `period`, lets go of all."""
        self._health.enter_graceful_shutdown()
        self._server.stop(period.total_seconds()).wait((period + DRAIN_GRACE).total_seconds())
        for lane in self._lanes.values():
            lane.shutdown(cancel_futures=True)
        self._store.close()
        self._claim.release()


def start(configuration: Configuration) -> App:
    """Builds the server, opens its database and listens. Raises StartupError with one line that says why not."""
    settings = configuration.settings
    _ensure_private(settings)
    _ensure_free(settings.listen)
    policy = policy_file.load(settings.policy, settings.unknown_customer)
    with ExitStack() as undo:
        claim = claim_database(settings.database, create=configuration.may_create)
        undo.callback(claim.release)
        store = open_store(settings.database, create=configuration.may_create)
        undo.callback(store.close)
        lanes = open_lanes(settings.check_threads)
        server, health = _server(policy, store, settings, lanes)
        address = _listen(server, settings.listen)
        app = App(address, policy, store.revision(), server, health, lanes, store, claim)
        server.start()
        undo.pop_all()
    return app


def _server(policy: Policy, store: Store, settings: Settings, lanes: Lanes) -> tuple[grpc.Server, HealthServicer]:
    """A server with all its services."""
    server = grpc.server(
        lanes["health"],
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.max_concurrent_streams", CALLS_OF_A_CONNECTION),
        ],
    )
    add_service(server, _DECISIONS, PolicyDecisionServicer(DecisionService(store), policy), lanes)
    add_service(server, _FREEZES, CustomerFreezeServicer(FreezeService(store, settings.retention_period)), lanes)
    add_reflection(server, [_DECISIONS.full_name, _FREEZES.full_name, HEALTH], lanes)
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    for service in (_DECISIONS, _FREEZES):
        health.set(service.full_name, HealthCheckResponse.SERVING)
    return server, health


def _ensure_private(settings: Settings) -> None:
    if not settings.insecure and not is_loopback(settings.listen):
        raise StartupError(
            f"others can reach {settings.listen}, and there is no TLS: listen on 127.0.0.1, or pass --insecure"
        )


def _listen(server: grpc.Server, listen: str) -> str:
    """Listens, and tells where. Raises StartupError."""
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {listen}: {error}") from error
    return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"


def _ensure_free(listen: str) -> None:
    """Asks the system itself whether it can be listened on, which says why not: gRPC only says that it failed."""
    if listen.startswith("unix:"):
        _ensure_nobody_answers(listen)
        return
    host, _, port = listen.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise StartupError(f"cannot listen on {listen}: {getattr(error, 'strerror', error)}") from error


def _ensure_nobody_answers(listen: str) -> None:
    """A unix socket that nobody listens on is left over, and is replaced."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(listen.removeprefix("unix:"))
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            raise StartupError(f"cannot listen on {listen}: {error.strerror or error}") from error
    raise StartupError(f"cannot listen on {listen}: another process does")
