"""The makes of a bare server in Python, and what all of them have in common."""

from enum import StrEnum

SERVICE = "frostgate.v1.PolicyDecisionService"
METHOD = "CheckOperation"

# As in frostgate_server.process.worker_server, whose import would make these servers less bare.
OPTIONS = [
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", 512 * 1024),
    ("grpc.max_concurrent_streams", 128),
]


class Make(StrEnum):
    """How a server queues its calls."""

    THREADS = "threads"
    """gRPC's own way: a thread takes a call and waits for its message."""

    QUEUED = "queued"
    """A call is queued for the threads when its message has come."""

    LOOP = "loop"
    """No threads: one polling thread on a completion queue answers every call itself."""

    ASYNCIO = "asyncio"
    """An event loop."""

    UVLOOP = "uvloop"
    """A faster event loop."""
