"""One more caller, who calls all the time, and sees how a server does before, during and after a load."""

import threading
from dataclasses import dataclass
from statistics import quantiles
from time import monotonic, time
from types import TracebackType

import grpc
from benchmarks.fill import ID_FORMAT
from benchmarks.saturation.processes import resident_bytes
from benchmarks.servers import CannotMeasure, Check, Running, channel
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest
from frostgate.v1.policy_decision_service_pb2_grpc import PolicyDecisionServiceStub
from support.processes import PATIENCE

_INTERVAL = 0.02
"""Seconds between one call's end and the next call."""

_IN_A_ROW = 20
"""Calls that must be normal, one after the other, for a server to be back to normal."""

_SLOWER = 2.0
"""A call is normal if it takes at most so many times what calls took before."""

_LEAST_LIMIT = 0.01
"""Seconds that a normal call may take in any case."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One call: when it began, by the system's clock, what it took, and how it ended."""

    began: float
    seconds: float
    status: str


class Observer:
    """Calls in a thread of its own until the end of its `with` block. Before each call it reads the server's memory."""

    def __init__(self, server: Running, check: Check, deadline: float) -> None:
        """Takes the check that it calls, and its deadline in seconds."""
        mode, operation = check
        self._request = CheckOperationRequest(customer_id=ID_FORMAT % 0, billing_mode=mode, operation=operation)
        self._server = server
        self._deadline = deadline
        self._ended = threading.Event()
        self._noted = threading.Condition()
        self._probes: list[Probe] = []
        self._memory: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_probes(self, count: int) -> list[Probe]:
        """The next so many calls, as soon as they were made. Raises CannotMeasure if they are not."""
        with self._noted:
            wanted = len(self._probes) + count
            if not self._noted.wait_for(lambda: len(self._probes) >= wanted, PATIENCE):
                raise CannotMeasure("the caller beside the load makes no calls")
            return self._probes[wanted - count : wanted]

    def wait_until_normal(self, since: float, limit: float, longest: float) -> float | None:
        """Seconds from `since` until calls are normal again. None if they are not after `longest` seconds."""
        end = monotonic() + longest
        with self._noted:
            while (found := back_to_normal(self._probes, since, limit)) is None and monotonic() < end:
                self._noted.wait(end - monotonic())
            return found

    def between(self, start: float, end: float) -> tuple[list[Probe], list[int]]:
        """The calls that began in a time, and the bytes of memory meanwhile."""
        with self._noted:
            probes = [probe for probe in self._probes if start <= probe.began <= end]
            return probes, [held for when, held in self._memory if start <= when <= end]

    def _run(self) -> None:
        with channel(self._server) as connection:
            check = PolicyDecisionServiceStub(connection).CheckOperation
            while not self._ended.is_set():
                memory = (time(), resident_bytes(self._server.pids[0]))
                began, start, status = time(), monotonic(), "OK"
                try:
                    check(self._request, timeout=self._deadline)
                except grpc.RpcError as error:
                    status = error.code().name
                with self._noted:
                    self._memory.append(memory)
                    self._probes.append(Probe(began, monotonic() - start, status))
                    self._noted.notify_all()
                self._ended.wait(_INTERVAL)


def normal_limit(before: list[Probe]) -> float:
    """Seconds that a call takes at most, if the server is as it was before."""
    return max(_LEAST_LIMIT, _SLOWER * p99(before))


def p99(probes: list[Probe]) -> float:
    """Seconds in which all but one of a hundred calls ended. 0 without calls."""
    seconds = [probe.seconds for probe in probes]
    return quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else sum(seconds)


def back_to_normal(probes: list[Probe], since: float, limit: float) -> float | None:
    """Seconds from `since` to the first of enough normal calls in a row. None if there are not enough."""
    first, in_a_row = 0.0, 0
    for probe in probes:
        if probe.began < since or probe.status != "OK" or probe.seconds > limit:
            in_a_row = 0
            continue
        if in_a_row == 0:
            first = probe.began
        in_a_row += 1
        if in_a_row == _IN_A_ROW:
            return first - since
    return None
