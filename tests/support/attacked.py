"""A server with one worker under attack, without callers or with TLS and tokens, and those who attack it."""

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
from support.worker_processes import serving_workers

Kind = Literal["plaintext", "TLS and tokens"]
KINDS: tuple[Kind, ...] = ("plaintext", "TLS and tokens")

CHECK = "/frostgate.v1.PolicyDecisionService/CheckOperation"
BATCH_CHECK = "/frostgate.v1.PolicyDecisionService/BatchCheckOperations"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

A_CHECK = check_of(customer_id="a")

_CPU_OF_PROCESS = 2
"""Of the clocks of a process, in the lowest bits of their numbers, the one of its processor time."""

DRAIN_PERIOD = 20.0
"""Seconds that calls under way have to end. Far longer than a drain takes that waits for nothing."""


class Attacked:
    """A server, ordinary callers of it, and raw connections to it. Callers show a token where there are callers."""

    def __init__(self, server: ServerProcess, access: Access | None) -> None:
        """Takes the access of a server with callers."""
        self.server = server
        self._access = access
        self.metadata = access.token("operator") if access else ()
        (self.worker,) = serving_workers(server)

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self.server.address, self._access.authority.channel() if self._access else None)

    def raw(self, source: str = "127.0.0.1") -> RawConnection:
        """A new connection on which nothing is said yet. `source` is the address that it comes from."""
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
        """Makes a check that must be answered."""
        return connection.decisions.CheckOperation(A_CHECK, timeout=timeout, metadata=self.metadata)

    def start_check(
        self, connection: Connection, request: CheckOperationRequest = A_CHECK, timeout: float = PATIENCE
    ) -> Any:
        """Starts a check, and gives its future."""
        return connection.decisions.CheckOperation.future(request, timeout=timeout, metadata=self.metadata)

    def health(self, connection: Connection) -> int:
        """The status of the server."""
        stub: Any = HealthStub(connection.channel)
        return int(stub.Check(HealthCheckRequest(), timeout=PATIENCE).status)

    def assert_serves(self) -> None:
        """A check on a new connection is answered, by the worker that was there before, and health says so."""
        with self.connect() as connection:
            assert self.check(connection).message
            assert self.health(connection) == 1
        assert serving_workers(self.server) == [self.worker]

    def cpu_seconds(self) -> float:
        """The processor time that the worker has taken, with that of threads that have ended."""
        return clock_gettime(~self.worker << 3 | _CPU_OF_PROCESS)

    def resident_bytes(self) -> int:
        """The memory that the worker holds."""
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
    """Serves with one worker. Without callers it listens on 127.0.0.1, with them on localhost, by TLS."""
    flags = ("--workers", "1", "--drain-period", f"{DRAIN_PERIOD:.0f}s", *flags)
    if kind == "plaintext":
        with ServerProcess(directory / "frostgate.db", *flags) as server:
            yield Attacked(server, None)
        return
    access = Access(directory)
    with access.server(*flags) as server:
        yield Attacked(server, access)


def latencies(make: Callable[[], object], seconds: float) -> list[float]:
    """Calls one after the other for some time: the seconds that each took, in ascending order."""
    taken, end = [], monotonic() + seconds
    while (start := monotonic()) < end:
        make()
        taken.append(monotonic() - start)
    return sorted(taken)


def percentile(ordered: Sequence[float], part: float) -> float:
    """Of values in ascending order."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def code_of(future: Any) -> grpc.StatusCode:
    """The status of a call, once it has ended."""
    future.exception()
    code: grpc.StatusCode = future.code()
    return code
