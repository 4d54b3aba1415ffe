"""A server with one worker under attack, without callers or with TLS and tokens, and its attackers."""

import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import clock_gettime, monotonic
from typing import Any, Literal

import grpc
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.access import Access
from support.calls import check_of
from support.processes import PATIENCE
from support.raw_http2 import END_HEADERS, HEADERS, RawConnection, frame, header_block, message
from support.server_process import Connection, ServerProcess
from support.worker_processes import eventually, serving_workers

Kind = Literal["plaintext", "TLS and tokens"]
KINDS: tuple[Kind, ...] = ("plaintext", "TLS and tokens")

CHECK = "/frostgate.v1.PolicyDecisionService/CheckOperation"
BATCH_CHECK = "/frostgate.v1.PolicyDecisionService/BatchCheckOperations"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

A_CHECK = check_of(customer_id="a")

_CPU_OF_PROCESS = 2
"""The lowest bits of the number of a process clock: they select its CPU time."""

DRAIN_PERIOD = 20.0
"""Seconds that calls in progress have to end. A drain without calls takes far less."""


class Attacked:
    """A server, ordinary callers of it, and raw connections to it. With callers, they send a token."""

    def __init__(self, server: ServerProcess, access: Access | None) -> None:
        """`access` has the credentials of a server with callers."""
        self.server = server
        self._access = access
        self.metadata = access.token("operator") if access else ()
        (self.worker,) = serving_workers(server)

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self.server.address, self._access.authority.channel() if self._access else None)

    def raw(self, source: str = "127.0.0.1") -> RawConnection:
        """A new connection on which nothing was sent yet. `source` is the address that it comes from."""
        return RawConnection(self.server.address.replace("localhost", "127.0.0.1"), self._tls(), source=source)

    def token(self, subject: str) -> tuple[tuple[str, str], ...]:
        """The metadata of another caller, if there are callers."""
        return self._access.token(subject) if self._access else ()

    def headers(self, path: str, *, credential: bool = True) -> bytes:
        """The headers of a call, with a credential if there are callers."""
        return header_block(path, self.metadata if credential else ())

    def call(self, stream: int, path: str, serialized: bytes, **more: bool) -> bytes:
        """The frames of a whole unary call."""
        return frame(HEADERS, END_HEADERS, stream, self.headers(path)) + message(stream, serialized, **more)

    def check(self, connection: Connection, timeout: float = PATIENCE) -> CheckOperationResponse:
        """Makes a check, which must be answered."""
        return connection.decisions.CheckOperation(A_CHECK, timeout=timeout, metadata=self.metadata)

    def start_check(
        self, connection: Connection, request: CheckOperationRequest = A_CHECK, timeout: float = PATIENCE
    ) -> Any:
        """Starts a check and returns its future."""
        return connection.decisions.CheckOperation.future(request, timeout=timeout, metadata=self.metadata)

    def health(self, connection: Connection) -> int:
        """The status of the server."""
        stub: Any = HealthStub(connection.channel)
        return int(stub.Check(HealthCheckRequest(), timeout=PATIENCE).status)

    def assert_serves(self) -> None:
        """The first worker answers a check on a new connection, and health is SERVING.

        On a busy machine the loop may have had no CPU time for so long that health is NOT_SERVING before.
        """
        with self.connect() as connection:
            assert self.check(connection).message
            eventually(lambda: self.health(connection) == 1, "SERVING")
        assert serving_workers(self.server) == [self.worker]

    def cpu_seconds(self) -> float:
        """The CPU time of the worker, including threads that have ended."""
        return clock_gettime(~self.worker << 3 | _CPU_OF_PROCESS)

    def resident_bytes(self) -> int:
        """The resident memory of the worker."""
        pages = int(Path(f"/proc/{self.worker}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _tls(self) -> ssl.SSLContext | None:
        if self._access is None:
            return None
        context = ssl.create_default_context(cadata=self._access.authority.pem.decode())
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        return context


@contextmanager
def attacked(directory: Path, kind: Kind, *flags: str) -> Iterator[Attacked]:
    """Serves with one worker: without callers on 127.0.0.1, with callers on localhost with TLS."""
    flags = ("--workers", "1", "--drain-period", f"{DRAIN_PERIOD:.0f}s", *flags)
    if kind == "plaintext":
        with ServerProcess(directory / "frostgate.db", *flags) as server:
            yield Attacked(server, None)
        return
    access = Access(directory)
    with access.server(*flags) as server:
        yield Attacked(server, access)


def latencies(make: Callable[[], object], seconds: float) -> list[float]:
    """Makes calls one after the other for some time. Returns the seconds of each, in ascending order."""
    taken, end = [], monotonic() + seconds
    while (start := monotonic()) < end:
        make()
        taken.append(monotonic() - start)
    return sorted(taken)


def percentile(ordered: Sequence[float], part: float) -> float:
    """A percentile of values in ascending order."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def code_of(future: Any) -> grpc.StatusCode:
    """Waits for the end of a call. Returns its status."""
    future.exception()
    code: grpc.StatusCode = future.code()
    return code
