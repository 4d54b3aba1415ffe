"""Settings: limits of load, and the connections of callers."""

from dataclasses import dataclass
from datetime import timedelta

from .access_settings import AccessSettings
from .definition import setting
from .kinds import Choice, Duration, Number, Optional

_MOST = 1_000_000
"""The highest value of every limit."""


@dataclass(frozen=True, slots=True)
class LimitSettings(AccessSettings):
    """The settings after those of access, in the order of the documentation."""

    max_connections: int = setting(
        1024,
        Number(1, _MOST),
        "The connections that each worker serves at once at each of its addresses. More are refused. The server "
        "lowers this limit at its start if the limit of open files requires it, and logs this.",
    )
    max_calls_per_connection: int = setting(
        128,
        Number(1, _MOST),
        "The calls that may be in progress on one connection. More wait in the client.",
    )
    max_waiting_checks: int = setting(
        2000,
        Number(1, _MOST),
        "The checks that may wait in each worker. More are refused with OVERLOADED.",
    )
    max_waiting_changes: int = setting(
        1000,
        Number(1, _MOST),
        "The changes that may wait in each worker. More are refused with OVERLOADED.",
    )
    caller_calls_in_flight: int = setting(
        0,
        Number(0, _MOST),
        "The calls that one caller may have in progress in each worker. More are refused with OVERLOADED. A caller is "
        "a principal, or a peer address if it is anonymous. 0: no limit.",
    )
    caller_calls_per_second: int = setting(
        0,
        Number(0, _MOST),
        "The calls that one caller may make in a second to each worker. More are refused with OVERLOADED. 0: no limit.",
    )
    caller_kept_megabytes: int = setting(
        2000,
        Number(0, _MOST),
        "The megabytes of answers that are stored for the request_ids of one caller. They are stored for 24 hours, and "
        "returned for repeated requests. At this size the caller's changes with a request_id are refused with "
        "OVERLOADED. A caller is a principal; all anonymous callers are one. 0: no limit.",
    )
    max_connection_age: timedelta | None = setting(
        timedelta(minutes=10),
        Optional(Duration(least=timedelta(seconds=1), most=timedelta(days=30)), none="0"),
        "The age at which the server asks a client to open a new connection: 1s to 30d. A load balancer chooses a "
        "server per connection. So without a limit, a new server gets no calls from clients that are already "
        "connected. 0: no limit.",
    )
    max_connection_age_grace: timedelta = setting(
        timedelta(minutes=1),
        Duration(most=timedelta(hours=1)),
        "The time limit for calls in progress on a connection that has reached --max-connection-age. Then the "
        "connection is closed.",
    )
    keepalive_time: timedelta = setting(
        timedelta(minutes=1),
        Duration(least=timedelta(seconds=1), most=timedelta(days=1)),
        "The time without traffic after which the server pings a client: 1s to 1d. It must be shorter than the idle "
        "timeout of each load balancer, firewall and NAT on the way.",
    )
    keepalive_timeout: timedelta = setting(
        timedelta(seconds=20),
        Duration(least=timedelta(seconds=1), most=timedelta(hours=1)),
        "The time limit for the answer of a client to a ping: 1s to 1h. Without an answer, the connection is closed.",
    )
    call_dispatch: str = setting(
        "loop",
        Choice("loop", "grpcio"),
        "The implementation that receives calls: loop, or grpcio. grpcio is the fallback until version 0.4. It has no "
        "protection against overload and slow readers.",
    )
