"""The options of gRPC's channels. Their names are those of gRPC's channel arguments."""

from collections.abc import Iterable
from typing import Any

from .targets import is_local

_DEFAULTS: dict[str, object] = {
    # Each channel has its own connection, so that several channels reach several workers of a server.
    "grpc.use_local_subchannel_pool": 1,
    # gRPC's default is to wait up to two minutes before it connects again. A server restarts much faster.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # Despite its name, this is the time limit of one attempt to connect. A handshake over a long distance is slow.
    "grpc.min_reconnect_backoff_ms": 2000,
    # A connection that is silently dropped is closed 11 s after its last byte, also between calls. gRPC waits longer
    # than `keepalive_timeout_ms` for the answer to a ping, unless `ping_timeout_ms` is as short.
    "grpc.keepalive_time_ms": 6000,
    "grpc.keepalive_timeout_ms": 5000,
    "grpc.http2.ping_timeout_ms": 5000,
    "grpc.keepalive_permit_without_calls": 1,
    # gRPC's default is two pings, then few until the next call.
    "grpc.http2.max_pings_without_data": 0,
    # This client implements deadlines and retries itself.
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_retries": 0,
}


def channel_options_for(target: str, given: Iterable[tuple[str, Any]] = ()) -> list[tuple[str, Any]]:
    """Returns the options of a channel to a target: the given ones, and the client's own for all others."""
    # A proxy in the network cannot reach a socket of this machine.
    direct = {"grpc.enable_http_proxy": 0} if is_local(target) else {}
    return list({**_DEFAULTS, **direct, **dict(given)}.items())
