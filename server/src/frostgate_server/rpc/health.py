"""The health of a server by the gRPC health protocol, and the monitor that derives it from the answers to real checks.

This module does not depend on a transport. Check takes a serialized request and returns a serialized response. A call
of Watch is a `HealthWatch`: the server asks it repeatedly whether a message is due.
"""

import logging
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import cast

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

from frostgate_server.domain.errors import FieldViolation, InvalidFields

_log = logging.getLogger(__name__)

SERVICE = cast(ServiceDescriptor, DESCRIPTOR.services_by_name["Health"])
"""The descriptor of the health service."""

LARGEST_REQUEST = 1024
"""The largest request, in bytes. The names of services are far shorter."""

SILENCE_SECONDS = 1.5
"""Seconds without an answered check after which a worker is NOT_SERVING. Watchers must be told within two seconds: the
next tick and the message to them take at most the remaining half second."""

LONGEST_STEP_SECONDS = 0.4
"""The most seconds that count between two ticks, which come every 0.2 s. If a tick is later, the machine did not run
the process for a while, and that time says nothing about checks."""

ANSWERS_IN_A_ROW = 2
"""The number of equal answers in a row that changes the status. A single different answer does not change it."""

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN

_RESPONSES: dict[int, bytes] = {
    status: HealthCheckResponse(status=status).SerializeToString() for status in (SERVING, NOT_SERVING, SERVICE_UNKNOWN)
}


class UnknownService(Exception):
    """Check asks for an unknown service. The answer is NOT_FOUND without a message and without details."""


class Health:
    """The status of each service. Threads may share it."""

    def __init__(self, services: Iterable[str]) -> None:
        """Sets all services to SERVING: a server does not start without its storage and its policy.

        The server as a whole has the name "".
        """
        self.services = tuple(services)
        self._statuses: dict[str, int] = dict.fromkeys(self.services, SERVING)
        self._failing: dict[str, set[str]] = {service: set() for service in self.services}
        self.is_shut_down = False
        self._lock = Lock()

    def set(self, service: str, status: int, source: str = "") -> None:
        """Sets the status of a service according to one source. Does nothing after `shut_down`.

        A service is SERVING if all sources report it as SERVING.
        """
        with self._lock:
            if self.is_shut_down:
                return
            failing = self._failing[service]
            if status == SERVING:
                failing.discard(source)
            else:
                failing.add(source)
            self._statuses[service] = NOT_SERVING if failing else SERVING

    def shut_down(self) -> None:
        """Sets all services to NOT_SERVING for good."""
        with self._lock:
            self.is_shut_down = True
            self._statuses = dict.fromkeys(self.services, NOT_SERVING)

    def status_of(self, service: str) -> int:
        """The status of a service. SERVICE_UNKNOWN if the service is unknown."""
        return self._statuses.get(service, SERVICE_UNKNOWN)

    def check(self, serialized: bytes) -> bytes:
        """The response to a request of Check. Raises UnknownService, or InvalidFields for a malformed request."""
        status = self.status_of(_parse_service(serialized))
        if status == SERVICE_UNKNOWN:
            raise UnknownService
        return _RESPONSES[status]

    def watch(self, serialized: bytes) -> "HealthWatch":
        """Starts a watch for a request of Watch. Raises InvalidFields for a malformed request."""
        return HealthWatch(self, _parse_service(serialized))


class HealthWatch:
    """A call of Watch: gives each message when it is due. Only one thread at a time may use it."""

    def __init__(self, health: Health, service: str) -> None:
        """Watches a service. An unknown service is reported as SERVICE_UNKNOWN."""
        self._health = health
        self._service = service
        self._told: int | None = None

    def next_message(self) -> bytes | None:
        """A serialized response if the status has changed since the last response, else None.

        The first call always gives a response.
        """
        status = self._health.status_of(self._service)
        if status == self._told:
            return None
        self._told = status
        return _RESPONSES[status]


class HealthMonitor:
    """Sets the health of services according to the answers to the server's checks of itself.

    A service is NOT_SERVING after two failed answers in a row, or after 1.5 s without a good one. It is SERVING again
    after two good answers in a row. So one slow or failed answer does not change the status. With a check every 0.2 s,
    a change is known within two seconds. Threads may share a monitor.
    """

    def __init__(self, health: Health, clock: Callable[[], float] = monotonic, *, service: str | None = None) -> None:
        """Starts with a server that is SERVING. `clock` gives seconds.

        Without a `service`, the monitor takes the answers to checks and sets the health of all services. With a
        `service`, it takes the answers of the write probe and sets the health of that service only.
        """
        self._health = health
        self._clock = clock
        self._services = health.services if service is None else (service,)
        self._named = "health" if service is None else f"health of {service}"
        self._asked = "checks" if service is None else "changes"
        self._lock = Lock()
        self._is_serving = True
        self._last_answer = True
        self._in_a_row = 0
        self._silence = 0.0
        self._last_tick = clock()

    def note_answer(self, *, good: bool, cause: str = "") -> None:
        """Records the answer to a check: `good` is false for a status other than OK, and `cause` is for the log."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if good == self._last_answer else 1
            self._last_answer = good
            if good:
                self._silence = 0.0
            if self._in_a_row >= ANSWERS_IN_A_ROW:
                fail = f"{self._asked} fail: {cause}" if cause else f"{self._asked} fail"
                self._set(good, f"{self._asked} are answered" if good else fail)

    def tick(self) -> None:
        """Sets NOT_SERVING if no check was answered for too long.

        Call it every 0.2 s, from a thread that does not wait for the checks.
        """
        with self._lock:
            now = self._clock()
            self._silence += min(now - self._last_tick, LONGEST_STEP_SECONDS)
            self._last_tick = now
            if self._silence > SILENCE_SECONDS:
                self._in_a_row = 0
                self._set(False, f"no check was answered for {SILENCE_SECONDS} s")

    def _set(self, is_serving: bool, cause: str) -> None:
        if is_serving == self._is_serving or self._health.is_shut_down:
            return
        self._is_serving = is_serving
        status = SERVING if is_serving else NOT_SERVING
        for service in self._services:
            self._health.set(service, status, self._asked)
        _log.warning("%s is %s: %s", self._named, HealthCheckResponse.ServingStatus.Name(status), cause)


def _parse_service(serialized: bytes) -> str:
    """The service that a request asks for. Raises InvalidFields."""
    if len(serialized) > LARGEST_REQUEST:
        problem = f"must have at most {LARGEST_REQUEST} bytes but has {len(serialized)}"
        raise InvalidFields([FieldViolation("request", problem)])
    try:
        return HealthCheckRequest.FromString(serialized).service
    except DecodeError:
        problem = f"must be a valid {HealthCheckRequest.DESCRIPTOR.full_name}, its strings UTF-8, but is not"
        raise InvalidFields([FieldViolation("request", problem)]) from None
