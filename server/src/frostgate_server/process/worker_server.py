"""The composition root: builds the server of one worker from its parts."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event
from time import monotonic
from uuid import uuid4

import grpc
from frostgate.v1 import customer_freeze_service_pb2, policy_decision_service_pb2

from frostgate_server.config.settings import Settings
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import CodeLimits
from frostgate_server.mail.smtp import create_mailer
from frostgate_server.rpc.customer_freeze_servicer import CustomerFreezeServicer
from frostgate_server.rpc.dispatch import Dispatch, ServedMethods
from frostgate_server.rpc.grpc_internals import ensure_supported
from frostgate_server.rpc.grpcio_dispatch import GrpcioDispatch
from frostgate_server.rpc.health import SERVICE as HEALTH
from frostgate_server.rpc.health import Health, HealthMonitor
from frostgate_server.rpc.loop.dispatch import LoopDispatch
from frostgate_server.rpc.method_handlers import HandlerContext, method_handlers
from frostgate_server.rpc.policy_decision_servicer import PolicyDecisionServicer
from frostgate_server.rpc.probe import Probe
from frostgate_server.rpc.reflection import Reflection
from frostgate_server.rpc.server_options import allowed_connections, server_options
from frostgate_server.rpc.thread_pools import ThreadPools, Throttle, open_thread_pools
from frostgate_server.rpc.write_probe import WriteProbe
from frostgate_server.services.code_verifier import CodeVerifier
from frostgate_server.services.customer_queries import CustomerQueries
from frostgate_server.services.customer_service import CustomerService
from frostgate_server.services.decision_service import DecisionService
from frostgate_server.services.partner_service import PartnerService
from frostgate_server.services.refusal_audit import RefusalAudit
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.interface import Store

from .probe_directory import probe_socket
from .worker_access import WorkerAccess, open_access
from .worker_config import WorkerConfig

_log = logging.getLogger(__name__)

DRAIN_GRACE = timedelta(seconds=5)
"""Time after the drain period, for calls that are being cancelled."""

GOAWAY_TIMEOUT = 1.0
"""Seconds that clients have to react to the end of a connection. gRPC itself waits 20 s for a silent client."""

_POLL_SECONDS = 0.05

_DECISIONS = policy_decision_service_pb2.DESCRIPTOR.services_by_name["PolicyDecisionService"]
_FREEZES = customer_freeze_service_pb2.DESCRIPTOR.services_by_name["CustomerFreezeService"]


@dataclass(frozen=True, slots=True)
class WorkerServer:
    """A listening server."""

    _server: grpc.Server
    _dispatch: Dispatch
    _probe: Probe
    _health: Health
    _parts: ExitStack

    def is_alive(self) -> bool:
        """Whether the server answers calls. The heartbeat calls it."""
        return self._probe.is_alive()

    def announce_shutdown(self) -> None:
        """Reports NOT_SERVING from now on, and continues to accept calls."""
        self._health.shut_down()

    def drain(self, period: timedelta) -> None:
        """Reports NOT_SERVING, accepts no new calls, waits up to `period` for current calls, and closes all parts."""
        self.announce_shutdown()
        stopped = self._server.stop(period.total_seconds())
        self._dispatch.drain()
        self._wait_for_end_of_calls(stopped, (period + DRAIN_GRACE).total_seconds())
        self._dispatch.end(DRAIN_GRACE.total_seconds())
        self._parts.close()

    def _wait_for_end_of_calls(self, stopped: Event, seconds: float) -> None:
        """Waits until the server has stopped. If no call is left, it does not wait for silent clients."""
        start = monotonic()
        while not stopped.wait(_POLL_SECONDS) and monotonic() - start < seconds:
            if monotonic() - start > GOAWAY_TIMEOUT and self._dispatch.is_idle():
                self._server.stop(None).wait(DRAIN_GRACE.total_seconds())
                return


def start_server(config: WorkerConfig) -> WorkerServer:
    """Joins the database, builds the server, and listens. Raises StartupError with one line that says why it failed."""
    with ExitStack() as parts:
        throttle = Throttle()
        store = find_backend(config.settings.database).join(config.database, throttle.throttled)
        parts.callback(store.close)
        pools = open_thread_pools(config.settings, store.get_revision, throttle)
        for pool in pools.values():
            parts.callback(partial(pool.shutdown, cancel_futures=True))
        access = open_access(config, parts)
        refusals = RefusalAudit(store)
        parts.callback(refusals.close)
        served = _served(config, store, HandlerContext(access.authenticator, refusals), pools, throttle)
        server = grpc.server(ThreadPoolExecutor(1), options=server_options(config.settings, _connections(config)))
        dispatch = _dispatch(server, served, config.settings, store)
        socket = probe_socket(config.probe_directory, config.number, os.getpid())
        _listen(server, config, access)
        _listen_on(server, f"unix:{socket}", None)
        server.start()
        dispatch.start()
        probe = Probe(socket, served.probe_path, dispatch.count_turns, HealthMonitor(served.health))
        parts.callback(probe.close)
        parts.callback(
            WriteProbe(store.ensure_writable, HealthMonitor(served.health, service=_FREEZES.full_name)).close
        )
        return WorkerServer(server, dispatch, probe, served.health, parts.pop_all())


def _connections(config: WorkerConfig) -> int:
    """The limit of connections for each address. Logs a warning if it is lower than the setting."""
    addresses = len(config.listeners) + len(config.mtls_listeners)
    allowed = allowed_connections(config.settings, addresses)
    if allowed < config.settings.max_connections:
        _log.warning("max_connections is lowered to %d, because of the limit of open files", allowed)
    return allowed


def _dispatch(server: grpc.Server, served: ServedMethods, settings: Settings, store: Store) -> Dispatch:
    """Selects how calls are received: by the server loop, or by grpcio itself."""
    if settings.call_dispatch == "grpcio":
        _log.warning("call_dispatch = grpcio: there is no protection against overload and slow readers")
        return GrpcioDispatch(server, served, store.withdraw_overdue)
    ensure_supported(server)
    return LoopDispatch(server, served, settings, store)


def _served(
    config: WorkerConfig, store: Store, shared: HandlerContext, pools: ThreadPools, throttle: Throttle
) -> ServedMethods:
    """Builds all methods, with their use cases."""
    decisions = PolicyDecisionServicer(DecisionService(store), config.policy)
    settings = config.settings
    code_verifier = CodeVerifier(store, config.code_key, _limits(settings))
    freezes = CustomerFreezeServicer(
        CustomerService(
            store,
            code_verifier,
            shared.refusals,
            settings.retention_period,
            kept_megabytes=settings.caller_kept_megabytes,
        ),
        CustomerQueries(store),
        PartnerService(store, code_verifier, create_mailer(settings)),
    )
    handlers = dict(method_handlers(_DECISIONS, decisions, shared))
    handlers.update(method_handlers(_FREEZES, freezes, shared))
    health = Health(["", _DECISIONS.full_name, _FREEZES.full_name])
    reflection = Reflection([_DECISIONS, _FREEZES, HEALTH]) if settings.reflection != "off" else None
    reflection_for = shared.authenticator if settings.reflection == "callers" else None
    return ServedMethods(
        worker=config.number,
        handlers=handlers,
        decisions=decisions,
        health=health,
        reflection=reflection,
        reflection_for=reflection_for,
        probe_path=f"/{uuid4()}/CheckOperation",
        pools=pools,
        throttle=throttle,
    )


def _limits(settings: Settings) -> CodeLimits:
    return CodeLimits(settings.code_lifetime, settings.code_tries, settings.code_failures, settings.code_sendings)


def _listen(server: grpc.Server, config: WorkerConfig, access: WorkerAccess) -> None:
    """Listens at the addresses that the workers share. Raises StartupError."""
    for address in config.listeners:
        _listen_on(server, address, access.credentials(asks_callers=False))
    for address in config.mtls_listeners:
        _listen_on(server, address, access.credentials(asks_callers=True))


def _listen_on(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartupError(f"cannot listen on {address}: {error}") from error
