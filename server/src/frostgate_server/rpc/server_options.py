"""The options of the gRPC server: sizes, connections and pings. The names are gRPC's channel arguments."""

import resource
from datetime import timedelta

from frostgate_server.config.limit_settings import LimitSettings

from .methods import LARGEST_REQUEST

LARGEST_HEADERS = 16 * 1024
"""The largest metadata of a call, in bytes: the longest token fits. By default gRPC refuses metadata of more than 8 KiB
at random."""

LEAST_PING_INTERVAL_MS = 5000
"""The least time between two pings of a client that the server accepts, in milliseconds. gRPC's default, 5 minutes,
ends the connections of clients that ping every 10 seconds."""

HANDSHAKE_TIMEOUT_MS = 10_000
"""The time in which a new connection must finish its TLS and HTTP/2 handshakes, in milliseconds. Until then it counts
against the limit of connections. gRPC's default is 2 minutes."""

RESERVED_FILES = 200
"""Open files of a worker other than connections: database, log, listeners and credential files."""

_NO_LIMIT = 2**31 - 1


def server_options(settings: LimitSettings, connections: int) -> list[tuple[str, int]]:
    """The options for `grpc.server`. `connections` is the limit of `allowed_connections`."""
    options = [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", LARGEST_REQUEST),
        ("grpc.max_metadata_size", LARGEST_HEADERS),
        ("grpc.max_concurrent_streams", settings.max_calls_per_connection),
        # Calls that were answered but are not freed yet do not count against the calls that may be in progress.
        ("grpc.http2.max_deallocating_streams", settings.max_calls_per_connection),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.keepalive_time_ms", _milliseconds(settings.keepalive_time)),
        ("grpc.keepalive_timeout_ms", _milliseconds(settings.keepalive_timeout)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_INTERVAL_MS),
        # gRPC answers calls beyond these limits with CANCELLED. The loop refuses them with OVERLOADED.
        ("grpc.server.max_pending_requests", _NO_LIMIT),
        ("grpc.server.max_pending_requests_hard_limit", _NO_LIMIT),
    ]
    if settings.max_connection_age is not None:
        options.append(("grpc.max_connection_age_ms", _milliseconds(settings.max_connection_age)))
        options.append(("grpc.max_connection_age_grace_ms", _milliseconds(settings.max_connection_age_grace)))
    return options


def allowed_connections(settings: LimitSettings, addresses: int) -> int:
    """The limit of connections for each address: that of the settings, or less if the limit of open files requires it.

    gRPC counts the connections of each address separately.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return settings.max_connections
    return max(1, min(settings.max_connections, (files - RESERVED_FILES) // addresses))


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
