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

from frostgate_server.auth.authenticator import CredentialAuthenticator
from frostgate_server.auth.credential_files import CredentialFiles, FileWatcher
from frostgate_server.auth.interface import AnonymousAuthenticator, Authenticator
from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import CodeLimits
from frostgate_server.mail.smtp import create_mailer
from frostgate_server.rpc.customer_freeze_servicer import CustomerFreezeServicer
from frostgate_server.rpc.method_handlers import HandlerContext, add_service
from frostgate_server.rpc.methods import LARGEST_REQUEST
from frostgate_server.rpc.open_streams import OpenStreams
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.rpc.reflection import add_reflection
from frostgate_server.rpc.thread_pools import ThreadPools, open_thread_pools, set_preverification
from frostgate_server.rpc.tls import server_credentials
from frostgate_server.rpc.token_preverification import TokenPreverifier
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.customer_queries import CustomerQueries
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.services.refusal_audit import RefusalAudit
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.interface import Store

from .worker_config import WorkerConfig

_log = logging.getLogger(__name__)

LARGEST_HEADERS = 16 * 1024
"""Bytes of a call's metadata: room for the longest token. By default gRPC refuses some beyond 8 KiB, by chance."""

CALLS_OF_A_CONNECTION = 128
"""At once; more wait at the caller. Bounds what a caller who reads no answers can make the server hold."""

DRAIN_GRACE = timedelta(seconds=5)
"""Beyond the drain period, for calls that are being ended."""

_DECISIONS = policy_decision_service_pb2.DESCRIPTOR.services_by_name["PolicyDecisionService"]
_FREEZES = customer_freeze_service_pb2.DESCRIPTOR.services_by_name["CustomerFreezeService"]


@dataclass(frozen=True, slots=True)
class WorkerServer:
    """A server that listens."""

    _server: grpc.Server
    _health: HealthServicer
    _pools: ThreadPools
    _parts: ExitStack

    def drain(self, period: timedelta) -> None:
        """Stops: says NOT_SERVING, takes no new calls, lets those under way end within `period`, lets go of all."""
        self._health.enter_graceful_shutdown()
        self._server.stop(period.total_seconds()).wait((period + DRAIN_GRACE).total_seconds())
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
        self._parts.close()


def start_server(config: WorkerConfig) -> WorkerServer:
    """Builds the server, joins its database and listens. Raises StartupError with one line that says why not."""
    with ExitStack() as parts:
        pools = open_thread_pools(config.settings.check_threads)
        store = find_backend(config.settings.database).join(config.database, pools["checks"].throttled)
        parts.callback(store.close)
        files = CredentialFiles(config.settings, config.callers_file, config.last_good)
        watch = FileWatcher(files, lambda _, line: _log.debug(line))
        parts.callback(watch.end)
        authenticator = _authenticator(config.settings, files, pools)
        streams = OpenStreams(authenticator)
        parts.callback(streams.end)
        refusals = RefusalAudit(store)
        parts.callback(refusals.close)
        shared = HandlerContext(config.number, pools, authenticator, refusals)
        server, health = _server(config, store, shared, streams)
        _listen(server, config, files)
        server.start()
        return WorkerServer(server, health, pools, parts.pop_all())


def _authenticator(settings: Settings, files: CredentialFiles, pools: ThreadPools) -> Authenticator:
    """Lets in callers only, if there are any; else everybody."""
    if files.callers is None:
        return AnonymousAuthenticator()
    authenticator = CredentialAuthenticator(settings, files)
    set_preverification(pools, TokenPreverifier(authenticator, pools["authentication"]))
    return authenticator


def _server(
    config: WorkerConfig, store: Store, shared: HandlerContext, streams: OpenStreams
) -> tuple[grpc.Server, HealthServicer]:
    """A server with all its services. Its health is told to everybody."""
    server = grpc.server(
        shared.pools["health"],
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.max_metadata_size", LARGEST_HEADERS),
            ("grpc.max_concurrent_streams", CALLS_OF_A_CONNECTION),
        ],
    )
    decisions = PolicyDecisionServicer(DecisionService(store), config.policy)
    code_verifier = CodeVerifier(store, config.code_key, _limits(config.settings))
    freezes = CustomerFreezeServicer(
        CustomerService(store, code_verifier, shared.refusals, config.settings.retention_period),
        CustomerQueries(store),
        PartnerService(store, code_verifier, create_mailer(config.settings)),
    )
    add_service(server, _DECISIONS, decisions, shared)
    add_service(server, _FREEZES, freezes, shared)
    if config.settings.reflection != "off":
        names = [_DECISIONS.full_name, _FREEZES.full_name, HEALTH]
        guarded = streams if config.settings.reflection == "callers" else None
        add_reflection(server, names, shared.pools, guarded)
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    for service in (_DECISIONS, _FREEZES):
        health.set(service.full_name, HealthCheckResponse.SERVING)
    return server, health


def _limits(settings: Settings) -> CodeLimits:
    return CodeLimits(settings.code_lifetime, settings.code_tries, settings.code_failures, settings.code_sendings)


def _listen(server: grpc.Server, config: WorkerConfig, files: CredentialFiles) -> None:
    """Listens beside the other workers. Raises StartupError."""
    for address in config.listeners:
        credentials = server_credentials(files.certificate, None) if files.certificate else None
        _listen_on(server, address, credentials)
    for address in config.mtls_listeners:
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
