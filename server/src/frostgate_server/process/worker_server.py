"""The composition root: puts the server of one worker together from its parts."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import grpc
from frostgate.v1 import customer_freeze_service_pb2, policy_decision_service_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from frostgate_server.auth.authenticator import Identities
from frostgate_server.auth.credential_files import AccessFiles, Watch
from frostgate_server.auth.interface import Door, OpenDoor
from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import Limits
from frostgate_server.mail.smtp import mailer_of
from frostgate_server.rpc.customer_freeze_servicer import CustomerFreezeServicer
from frostgate_server.rpc.method_handlers import Reception, add_service
from frostgate_server.rpc.open_streams import Streams
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.rpc.reflection import add_reflection
from frostgate_server.rpc.thread_pools import Lanes, open_lanes, set_gate
from frostgate_server.rpc.tls import server_credentials
from frostgate_server.rpc.token_preverification import TokenGate
from frostgate_server.services.code_verifier import CodeGate
from frostgate_server.services.customer_service import FreezeService
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.services.refusal_audit import Refusals
from frostgate_server.storage.interface import Store
from frostgate_server.storage.sqlite.opening import join_store

from .worker_config import Orders

_log = logging.getLogger(__name__)

LARGEST_REQUEST = 512 * 1024
"""Bytes of a request message: gRPC itself refuses more, with RESOURCE_EXHAUSTED."""

LARGEST_HEADERS = 16 * 1024
"""Bytes of a call's metadata: room for the longest token. By default gRPC refuses some beyond 8 KiB, by chance."""

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
    _parts: ExitStack

    def drain(self, period: timedelta) -> None:
        """Stops: says NOT_SERVING, takes no new calls, lets those under way end within `period`, lets go of all."""
        self._health.enter_graceful_shutdown()
        self._server.stop(period.total_seconds()).wait((period + DRAIN_GRACE).total_seconds())
        for lane in self._lanes.values():
            lane.shutdown(cancel_futures=True)
        self._parts.close()


def start(orders: Orders) -> App:
    """Builds the server, joins its database and listens. Raises StartupError with one line that says why not."""
    with ExitStack() as parts:
        lanes = open_lanes(orders.settings.check_threads)
        store = join_store(orders.database, around_group=lanes["checks"].given_way)
        parts.callback(store.close)
        files = AccessFiles(orders.settings, orders.callers_file, orders.last_good)
        watch = Watch(files, lambda _, line: _log.debug(line))
        parts.callback(watch.end)
        door = _door(orders.settings, files, lanes)
        streams = Streams(door)
        parts.callback(streams.end)
        refusals = Refusals(store)
        parts.callback(refusals.close)
        reception = Reception(orders.number, lanes, door, refusals)
        server, health = _server(orders, store, reception, streams)
        _listen(server, orders, files)
        server.start()
        return App(server, health, lanes, parts.pop_all())


def _door(settings: Settings, files: AccessFiles, lanes: Lanes) -> Door:
    """Lets in callers only, if there are any; else everybody."""
    if files.callers is None:
        return OpenDoor()
    identities = Identities(settings, files)
    set_gate(lanes, TokenGate(identities, lanes["identities"]))
    return identities


def _server(orders: Orders, store: Store, reception: Reception, streams: Streams) -> tuple[grpc.Server, HealthServicer]:
    """A server with all its services. Its health is told to everybody."""
    server = grpc.server(
        reception.lanes["health"],
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.max_metadata_size", LARGEST_HEADERS),
            ("grpc.max_concurrent_streams", CALLS_OF_A_CONNECTION),
        ],
    )
    decisions = PolicyDecisionServicer(DecisionService(store), orders.policy)
    gate = CodeGate(store, orders.code_key, _limits(orders.settings))
    freezes = CustomerFreezeServicer(
        FreezeService(store, gate, reception.refusals, orders.settings.retention_period),
        PartnerService(store, gate, mailer_of(orders.settings)),
    )
    add_service(server, _DECISIONS, decisions, reception)
    add_service(server, _FREEZES, freezes, reception)
    if orders.settings.reflection != "off":
        names = [_DECISIONS.full_name, _FREEZES.full_name, HEALTH]
        add_reflection(server, names, reception.lanes, streams if orders.settings.reflection == "callers" else None)
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    for service in (_DECISIONS, _FREEZES):
        health.set(service.full_name, HealthCheckResponse.SERVING)
    return server, health


def _limits(settings: Settings) -> Limits:
    return Limits(settings.code_lifetime, settings.code_tries, settings.code_failures, settings.code_sendings)


def _listen(server: grpc.Server, orders: Orders, files: AccessFiles) -> None:
    """Listens beside the other workers. Raises StartupError."""
    for address in orders.listeners:
        credentials = server_credentials(files.certificate, None) if files.certificate else None
        _listen_on(server, address, credentials)
    for address in orders.mtls_listeners:
        assert files.certificate
        assert files.authorities
        _listen_on(server, address, server_credentials(files.certificate, files.authorities))


def _listen_on(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {address}: {error}") from error
