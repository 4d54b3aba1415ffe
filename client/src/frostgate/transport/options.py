"""The options of gRPC's channels. Their names are those of gRPC's channel arguments."""

from collections.abc import Iterable
from typing import Any

from .targets import is_local

_DEFAULTS: dict[str, object] = {
    # Each channel has a connection of its own, so that several reach several server processes.
    "grpc.use_local_subchannel_pool": 1,
    # gRPC itself waits up to two minutes to connect anew: far longer than a server takes to start again.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # By its name a pause, in truth how long one attempt to connect may take: a handshake far away takes its time.
    "grpc.min_reconnect_backoff_ms": 2000,
    # A connection that is silently dropped is left 11 s after the last byte came, also between calls. gRPC waits longer
    # for the answer to a ping than `keepalive_timeout_ms` says, unless `ping_timeout_ms` is as short.
    "grpc.keepalive_time_ms": 6000,
    "grpc.keepalive_timeout_ms": 5000,
    "grpc.http2.ping_timeout_ms": 5000,
    "grpc.keepalive_permit_without_calls": 1,
    # gRPC's default is two pings, then hardly any until the next call.
    "grpc.http2.max_pings_without_data": 0,
    # Deadlines and retries are this client's own affair.
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_retries": 0,
}


def channel_options_for(target: str, given: Iterable[tuple[str, Any]] = ()) -> list[tuple[str, Any]]:
    """The options of a channel to a target: the given ones, and for all others the client's own."""
    # A proxy of the network cannot reach a socket of this machine.
    direct = {"grpc.enable_http_proxy": 0} if is_local(target) else {}
    return list({**_DEFAULTS, **direct, **dict(given)}.items())
